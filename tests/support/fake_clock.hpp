// Virtual time: it stands until a test moves it.
//
// wait_until() parks the coroutine; call_at() keeps a function. Whatever is due is woken in the
// order of (time, order of asking), so that a history depends on nothing but its seed.
// One thread; a woken coroutine resumes when its io_context is polled. Declare the clock before the
// io_context: coroutines that still wait when that is destroyed take themselves out here.
#pragma once

#include "longhaul/port/clock.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace longhaul::test {

class FakeClock final : public port::Clock {
public:
    explicit FakeClock(TimePoint start = TimePoint{std::chrono::seconds{1'800'000'000}});
    ~FakeClock() override;
    FakeClock(const FakeClock&) = delete;
    FakeClock& operator=(const FakeClock&) = delete;

    [[nodiscard]] TimePoint now() const override { return now_; }
    [[nodiscard]] TimePoint wall_now() const override { return now_ + wall_offset_; }
    boost::asio::awaitable<void> wait_until(TimePoint when) override;

    // Runs `call` from within advance_to(), once `when` is reached. It must not advance the clock.
    using Ticket = std::pair<TimePoint, std::uint64_t>;
    Ticket call_at(TimePoint when, std::function<void()> call);
    // No error if it was called already.
    void forget(const Ticket& ticket);

    void advance(Duration by) { advance_to(now_ + by); }
    // Wakes all that is due up to `until`, each at its own time, then stands at `until`.
    void advance_to(TimePoint until);

    // When the next wait or call is due.
    [[nodiscard]] std::optional<TimePoint> next_wakeup() const;
    [[nodiscard]] std::size_t waiting() const { return due_.size(); }

    // A step of the wall clock, which moves no timer.
    void step_wall(Duration by) { wall_offset_ += by; }

private:
    struct Parked;

    TimePoint now_;
    Duration wall_offset_{0};
    std::uint64_t next_order_ = 1;
    std::map<Ticket, std::function<void()>> due_;
};

}  // namespace longhaul::test
