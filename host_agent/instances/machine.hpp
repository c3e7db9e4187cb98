// What the machine offers, read from the kernel once at start.
#pragma once

#include <cstdint>

namespace longhaul::host_agent {

struct Machine {
    std::uint32_t memory_mb = 0;
};

[[nodiscard]] Machine read_machine();

}  // namespace longhaul::host_agent
