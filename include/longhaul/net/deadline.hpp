// with_deadline(): an operation, or the end of its time, whichever is first.
//
// Boost 1.81 has no cancel_after. The operation is cancelled (terminal) when time is up and its end
// is awaited, so nothing of it runs on.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/port/clock.hpp"

#include <boost/asio/awaitable.hpp>

namespace longhaul::net {

// The operation's own result, or Errc::timed_out "… after 5s" when time was up first.
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(boost::asio::awaitable<Result<T>> operation,
                                                port::Clock& clock, Duration limit);

}  // namespace longhaul::net

#include "longhaul/net/impl/deadline.hpp"
