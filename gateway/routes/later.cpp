#include "gateway/routes/handlers.hpp"

namespace longhaul::gateway::routes {

// Named in the protocol, brought by a later version: refused by name, never ignored.
Answer not_available(const Api&, net::Request& request) {
    co_return net::problem_response(
        make_error(Errc::unsupported,
                   request.method + " " + request.path + " is not available in this version",
                   "not-available"));
}

}  // namespace longhaul::gateway::routes
