#include "status_service/routes/table.hpp"

namespace longhaul::status_service {
namespace {

using Function = routes::Answer (*)(const Handles&, net::Request&);

net::Handler bind(const Handles& handles, Function function) {
    return [&handles, function](net::Request& request) { return function(handles, request); };
}

}  // namespace

std::vector<net::Route> internal_routes(const Handles& h) {
    constexpr Duration kShort = std::chrono::seconds(30);
    return {
        {"POST", "/v1/reports", bind(h, routes::reports), h.report_bytes_max, kShort, ""},
        {"GET", "/v1/hosts", bind(h, routes::hosts), 0, kShort, ""},
        {"POST", "/v1/hosts/{host}/drain", bind(h, routes::drain_host), 64 * 1024, kShort, ""},
        {"POST", "/v1/status:batch", bind(h, routes::status), 1u << 20, kShort, ""},
    };
}

}  // namespace longhaul::status_service
