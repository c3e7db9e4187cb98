// The routes of the status service's internal listener.
#pragma once

#include "longhaul/net/router.hpp"
#include "status_service/driver/handle.hpp"

#include <vector>

namespace longhaul::status_service {

// `handles` outlives the routes.
[[nodiscard]] std::vector<net::Route> internal_routes(const Handles& handles);

namespace routes {

using Answer = boost::asio::awaitable<net::Response>;

Answer reports(const Handles& handles, net::Request& request);
Answer hosts(const Handles& handles, net::Request& request);
Answer drain_host(const Handles& handles, net::Request& request);
Answer status(const Handles& handles, net::Request& request);

}  // namespace routes
}  // namespace longhaul::status_service
