#include "longhaul/system/clock.hpp"
#include "longhaul/system/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <set>
#include <string>

namespace longhaul::system {

namespace asio = boost::asio;
using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

asio::awaitable<TimePoint> wait_and_tell(port::Clock& clock, TimePoint when) {
    co_await clock.wait_until(when);
    co_return clock.now();
}

// Ends an endless wait by cancelling it; true if nothing was thrown.
bool ends_when_cancelled(asio::io_context& context, port::Clock& clock) {
    asio::cancellation_signal signal;
    bool ended = false;
    bool threw = false;
    asio::co_spawn(context, clock.wait_until(clock.now() + hours{1}),
                   asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr failure) {
                       ended = true;
                       threw = failure != nullptr;
                   }));
    context.restart();
    context.poll();
    CHECK_FALSE(ended);
    signal.emit(asio::cancellation_type::terminal);
    context.restart();
    context.run();
    return ended && !threw;
}

}  // namespace

TEST_CASE(
    "the system clock starts at wall time, never goes back and waits at least as long as asked") {
    asio::io_context context;
    SystemClock clock;
    CHECK(std::chrono::abs(clock.now() - clock.wall_now()) < hours{1});
    const TimePoint due = clock.now() + milliseconds{5};
    CHECK(test::run_task(context, wait_and_tell(clock, due)) >= due);
    CHECK(test::run_task(context, wait_and_tell(clock, due)) >= due);
}

TEST_CASE("a wait ends early without an exception when it is cancelled") {
    SystemClock clock;
    test::FakeClock fake;
    asio::io_context context;
    CHECK(ends_when_cancelled(context, clock));
    CHECK(ends_when_cancelled(context, fake));
    CHECK(fake.waiting() == 0);
}

TEST_CASE("the fake clock wakes in the order of time, then of asking") {
    test::FakeClock clock;
    asio::io_context context;
    const TimePoint start = clock.now();
    std::string order;
    const auto wait = [&](char name, milliseconds after) {
        asio::co_spawn(context, clock.wait_until(start + after),
                       [&order, name](std::exception_ptr) { order += name; });
    };
    wait('c', milliseconds{20});
    wait('a', milliseconds{10});
    wait('d', milliseconds{20});
    wait('b', milliseconds{10});
    test::settle(context);
    CHECK(clock.next_wakeup() == start + milliseconds{10});
    CHECK(test::run_until(context, clock, [&] { return order.size() == 4; }));
    CHECK(order == "abcd");
    CHECK(clock.now() == start + milliseconds{20});
    CHECK_FALSE(test::run_until(context, clock, [] { return false; }));
}

TEST_CASE("random words of the system differ") {
    SystemRandom random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        seen.insert(random.next());
    }
    CHECK(seen.size() == 1000);
}

}  // namespace longhaul::system
