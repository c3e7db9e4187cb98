#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

Answer prepare(const Handles&, net::Request&) {
    co_return net::problem_response(make_error(
        Errc::unsupported, "prefetch and pre-warming come in a later version", "not-available"));
}

}  // namespace longhaul::host_agent::routes
