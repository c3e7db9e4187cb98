#include "longhaul/system/random.hpp"

#include "longhaul/base/assert.hpp"

#include <sys/random.h>

namespace longhaul::system {

std::uint64_t SystemRandom::next() {
    if (used_ == words_.size()) {
        // Up to 256 bytes come whole and uninterrupted (getrandom(2)).
        static_assert(sizeof(words_) <= 256);
        const auto got = ::getrandom(words_.data(), sizeof(words_), 0);
        LH_ASSERT(got == static_cast<ssize_t>(sizeof(words_)));
        used_ = 0;
    }
    // A word that was handed out does not stay in memory.
    const std::uint64_t word = words_[used_];
    words_[used_++] = 0;
    return word;
}

}  // namespace longhaul::system
