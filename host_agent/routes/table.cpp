#include "host_agent/routes/table.hpp"

#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent {
namespace {

using Function = routes::Answer (*)(const Handles&, net::Request&);

net::Handler bind(const Handles& handles, Function function) {
    return [&handles, function](net::Request& request) { return function(handles, request); };
}

constexpr Duration kNone{};  // bounded by what is asked, or a stream
constexpr Duration kShort = std::chrono::seconds(30);

}  // namespace

std::vector<net::Route> internal_routes(const Handles& h) {
    using namespace routes;
    const std::string attempt = "/v1/invocations/{id}/attempts/{attempt}";
    return {
        {"POST", "/v1/instances:take", bind(h, take), kMessageMax, kNone, ""},
        {"POST", "/v1/instances:release", bind(h, release), kMessageMax, kShort, ""},
        {"POST", "/v1/status:batch", bind(h, status), kMessageMax, kShort, ""},
        {"POST", "/v1/kill:batch", bind(h, kill), kMessageMax, kShort, ""},
        {"POST", "/v1/ack:batch", bind(h, ack), kMessageMax, kShort, ""},
        {"GET", attempt + "/result", bind(h, result), 0, kNone, ""},
        {"GET", attempt + "/logs", bind(h, logs), 0, kNone, ""},
        {"GET", "/v1/packages/{digest}", bind(h, package), 0, kNone, ""},
        {"GET", "/v1/drain", bind(h, drain_get), 0, kShort, ""},
        {"POST", "/v1/drain", bind(h, drain_post), kMessageMax, kShort, ""},
        {"POST", "/v1/prepare", bind(h, prepare), kMessageMax, kShort, ""},
        {"GET", "/v1/state", bind(h, state), 0, kShort, ""},
    };
}

std::vector<net::Route> agent_routes(const Handles& h) {
    return {
        {"POST", "/v1/instances/{id}/status", bind(h, routes::instance_status), routes::kMessageMax,
         kShort, ""},
    };
}

}  // namespace longhaul::host_agent
