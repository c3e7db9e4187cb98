#include "tests/support/fake_clock.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace longhaul::test {

namespace asio = boost::asio;

// Takes the entry out again when the waiting coroutine ends or is destroyed early.
struct FakeClock::Parked {
    Parked(FakeClock& clock_in, TimePoint when, std::function<void()> wake)
        : clock{clock_in}, key{when, clock_in.next_order_++} {
        clock.due_.emplace(key, std::move(wake));
    }
    ~Parked() { clock.due_.erase(key); }
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;

    FakeClock& clock;
    const Ticket key;
};

FakeClock::FakeClock(TimePoint start) : now_{start} {}

FakeClock::~FakeClock() = default;

asio::awaitable<void> FakeClock::wait_until(TimePoint when) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (when <= now_ || cancellation.cancelled() != asio::cancellation_type::none) {
        co_return;
    }
    // A timer that never fires by itself: waking it is a cancel, as is a real cancel.
    asio::steady_timer timer{co_await asio::this_coro::executor};
    timer.expires_at(asio::steady_timer::time_point::max());
    std::function<void()> wake = [&timer] { timer.cancel(); };
    const Parked parked{*this, when, std::move(wake)};
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

FakeClock::Ticket FakeClock::call_at(TimePoint when, std::function<void()> call) {
    const Ticket ticket{when, next_order_++};
    due_.emplace(ticket, std::move(call));
    return ticket;
}

void FakeClock::forget(const Ticket& ticket) { due_.erase(ticket); }

void FakeClock::advance_to(TimePoint until) {
    LH_ASSERT(until >= now_);
    while (!due_.empty() && due_.begin()->first.first <= until) {
        auto entry = due_.extract(due_.begin());
        now_ = std::max(now_, entry.key().first);
        entry.mapped()();
    }
    now_ = until;
}

std::optional<TimePoint> FakeClock::next_wakeup() const {
    if (due_.empty()) {
        return std::nullopt;
    }
    return due_.begin()->first.first;
}

}  // namespace longhaul::test
