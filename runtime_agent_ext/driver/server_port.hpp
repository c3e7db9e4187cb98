// A loopback port for a function's own server, and whether that server has it.
//
// A port is free when it is chosen, and may be gone when the server asks for it. So it is looked up
// who listens there: another instance's server must never be taken for this one's.
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>

namespace longhaul::runtime_agent_ext {

[[nodiscard]] Result<std::uint16_t> free_loopback_port();
// Whether anybody listens there (TCP, on any address); and whether a process below this one does.
[[nodiscard]] bool is_served(std::uint16_t port);
[[nodiscard]] bool is_served_below(std::uint16_t port);

}  // namespace longhaul::runtime_agent_ext
