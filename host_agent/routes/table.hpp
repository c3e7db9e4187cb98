// The lists of routes of a host agent's listeners.
#pragma once

#include "host_agent/driver/handle.hpp"
#include "longhaul/net/router.hpp"

#include <vector>

namespace longhaul::host_agent {

// For gateways and other hosts; needs the cluster's secret. `handles` outlives the routes.
[[nodiscard]] std::vector<net::Route> internal_routes(const Handles& handles);

// For runtime agents, on the unix socket.
[[nodiscard]] std::vector<net::Route> agent_routes(const Handles& handles);

}  // namespace longhaul::host_agent
