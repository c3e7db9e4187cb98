#include "longhaul/system/clock.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <time.h>

#include <algorithm>

namespace longhaul::system {

namespace asio = boost::asio;

namespace {

// Timers follow CLOCK_MONOTONIC, which stands still while a machine sleeps. Waking this often
// bounds how late a wait ends after a sleep.
constexpr Duration kNapMax = std::chrono::seconds{30};

Duration read_clock(clockid_t id) {
    timespec value{};
    LH_ASSERT(::clock_gettime(id, &value) == 0);
    return std::chrono::duration_cast<Duration>(std::chrono::seconds{value.tv_sec} +
                                                std::chrono::nanoseconds{value.tv_nsec});
}

}  // namespace

SystemClock::SystemClock()
    : wall_at_start_{read_clock(CLOCK_REALTIME)}, boot_at_start_{read_clock(CLOCK_BOOTTIME)} {}

TimePoint SystemClock::now() const {
    return wall_at_start_ + (read_clock(CLOCK_BOOTTIME) - boot_at_start_);
}

TimePoint SystemClock::wall_now() const { return TimePoint{read_clock(CLOCK_REALTIME)}; }

asio::awaitable<void> SystemClock::wait_until(TimePoint when) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    asio::steady_timer timer{co_await asio::this_coro::executor};
    boost::system::error_code failure;
    for (TimePoint at = now(); at < when; at = now()) {
        if (failure || cancellation.cancelled() != asio::cancellation_type::none) {
            co_return;
        }
        timer.expires_after(std::min(when - at, kNapMax));
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, failure));
    }
}

}  // namespace longhaul::system
