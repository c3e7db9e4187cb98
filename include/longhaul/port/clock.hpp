// Port: time. The only way to read it or to wait for it.
#pragma once

#include "longhaul/base/time.hpp"

#include <boost/asio/awaitable.hpp>

namespace longhaul::port {

// Owned by main(); outlives everything. Not thread-safe but for now().
class Clock {
public:
    virtual ~Clock() = default;

    // Never goes back; follows the monotonic clock (see base/time.hpp).
    [[nodiscard]] virtual TimePoint now() const = 0;

    // The wall clock as it stands, steps included: for display and for the gateway's clock alarm.
    [[nodiscard]] virtual TimePoint wall_now() const = 0;

    // Returns at or after `when`, or early when the waiting coroutine is cancelled.
    virtual boost::asio::awaitable<void> wait_until(TimePoint when) = 0;
};

}  // namespace longhaul::port
