#include "tests/support/run.hpp"

#include <cstdint>

namespace longhaul::test {

namespace {

// More handlers than this at one moment of virtual time is a loop that never yields.
constexpr std::uint64_t kHandlersAtOnceMax = 20'000'000;

}  // namespace

bool run_until(boost::asio::io_context& context, FakeClock& clock,
               const std::function<bool()>& done, Duration limit) {
    const TimePoint end = clock.now() + limit;
    for (;;) {
        context.restart();
        std::uint64_t handlers = 0;
        if (done()) {
            return true;
        }
        while (context.poll_one() != 0) {
            if (done()) {
                return true;
            }
            LH_ASSERT(++handlers < kHandlersAtOnceMax);
        }
        const auto next = clock.next_wakeup();
        if (!next) {
            return false;
        }
        if (*next > end) {
            clock.advance_to(end);
            return done();
        }
        clock.advance_to(std::max(*next, clock.now()));
    }
}

void run_for(boost::asio::io_context& context, FakeClock& clock, Duration span) {
    const TimePoint end = clock.now() + span;
    (void)run_until(
        context, clock, [] { return false; }, span);
    if (clock.now() < end) {
        clock.advance_to(end);
    }
    settle(context);
}

void settle(boost::asio::io_context& context) {
    context.restart();
    context.poll();
}

}  // namespace longhaul::test
