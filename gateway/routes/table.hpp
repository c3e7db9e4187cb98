// The one list of the gateway's public and internal routes.
#pragma once

#include "gateway/routes/api.hpp"
#include "longhaul/net/router.hpp"

#include <vector>

namespace longhaul::gateway {

[[nodiscard]] std::vector<net::Route> public_routes(const Api& api);
[[nodiscard]] std::vector<net::Route> internal_routes(const Api& api);

}  // namespace longhaul::gateway
