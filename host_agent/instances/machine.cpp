#include "host_agent/instances/machine.hpp"

#include <unistd.h>

#include <algorithm>

namespace longhaul::host_agent {

Machine read_machine() {
    const auto ask = [](int name) {
        return static_cast<std::uint64_t>(std::max(1L, ::sysconf(name)));
    };
    const std::uint64_t pages = ask(_SC_PHYS_PAGES);
    const std::uint64_t page_bytes = ask(_SC_PAGESIZE);
    return {static_cast<std::uint32_t>((pages * page_bytes) >> 20)};
}

}  // namespace longhaul::host_agent
