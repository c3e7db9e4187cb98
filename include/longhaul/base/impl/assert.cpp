#include "longhaul/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace longhaul {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "longhaul: assertion failed: %s (%s:%d)\n", condition, file, line);
    std::fflush(stderr);
    std::abort();
}

}  // namespace longhaul
