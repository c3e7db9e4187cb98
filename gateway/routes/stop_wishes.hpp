// The body of a cancel or kill, of one or of many: {"grace", "reason"}, all of it optional.
#pragma once

#include "gateway/routes/api.hpp"

#include <boost/asio/awaitable.hpp>

namespace longhaul::gateway {

// Adds to `stop`, whose cause says what may be wished for. An absent or empty body is no wish.
boost::asio::awaitable<Result<void>> read_stop_wishes(const Api& api, net::Request& request,
                                                      StopRequest& stop);

}  // namespace longhaul::gateway
