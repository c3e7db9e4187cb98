// The clock of a real machine.
//
// Anchored on the wall clock once, at construction, then follows CLOCK_BOOTTIME: a step of the wall
// clock moves no timer, and the time that a machine sleeps counts. Any thread may call now().
#pragma once

#include "longhaul/port/clock.hpp"

namespace longhaul::system {

class SystemClock final : public port::Clock {
public:
    SystemClock();

    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] TimePoint wall_now() const override;
    // On the executor of the awaiting coroutine. Never throws when cancelled: it returns early.
    boost::asio::awaitable<void> wait_until(TimePoint when) override;

private:
    // Constant after construction.
    const TimePoint wall_at_start_;
    const Duration boot_at_start_;
};

}  // namespace longhaul::system
