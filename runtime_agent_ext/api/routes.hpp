// The runtime agent's three listeners, a list of routes each. Decode, ask the agent, encode.
//
//     control  unix socket, host agent only (wire/instance_control.hpp)
//     data     TCP: POST /v1/invocations, with the run token (wire/run_headers.hpp)
//     runtime  TCP, for the function: the AWS Lambda Runtime API and its own /v1/runs/{token}/…
#pragma once

#include "longhaul/net/router.hpp"

#include <vector>

namespace longhaul::runtime_agent_ext {

class Agent;

[[nodiscard]] std::vector<net::Route> control_routes(Agent& agent);
[[nodiscard]] std::vector<net::Route> data_routes(Agent& agent);
[[nodiscard]] std::vector<net::Route> runtime_routes(Agent& agent);

}  // namespace longhaul::runtime_agent_ext
