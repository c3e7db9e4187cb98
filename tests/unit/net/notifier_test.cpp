#include "longhaul/net/notifier.hpp"

#include "longhaul/net/deadline.hpp"
#include "longhaul/net/task_group.hpp"
#include "tests/unit/net/net_fixture.hpp"

#include <stdexcept>

namespace longhaul::net::test {
namespace {

Task<void> wait_and_count(Notifier& notifier, int& woken) {
    co_await notifier.wait();
    ++woken;
}

Task<void> wait_until_and_note(Notifier& notifier, TestClock& clock, TimePoint until, int& notified,
                               int& timed_out) {
    const bool was_notified = co_await notifier.wait_until(clock, until);
    ++(was_notified ? notified : timed_out);
}

Task<void> wakes_all(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    Notifier notifier(loop.executor());
    int woken = 0;
    for (int i = 0; i < 1000; ++i) group.start("wait", wait_and_count(notifier, woken));
    co_await loop.settle();
    CHECK(notifier.waiting() == 1000);
    CHECK(woken == 0);
    notifier.notify_all();
    CHECK(notifier.waiting() == 0);
    co_await group.join();
    CHECK(woken == 1000);
}

Task<void> ends_with_its_notifier(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    int woken = 0;
    {
        Notifier notifier(loop.executor());
        group.start("wait", wait_and_count(notifier, woken));
        co_await loop.settle();
    }
    co_await group.join();
    CHECK(woken == 1);
}

Task<void> times_out(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    Notifier notifier(loop.executor());
    int notified = 0;
    int timed_out = 0;
    const auto start = loop.clock.now();
    group.start("a", wait_until_and_note(notifier, loop.clock, start + std::chrono::seconds(1),
                                         notified, timed_out));
    group.start("b", wait_until_and_note(notifier, loop.clock, start + std::chrono::seconds(9),
                                         notified, timed_out));
    group.start("past", wait_until_and_note(notifier, loop.clock, start, notified, timed_out));
    co_await loop.settle();
    CHECK(timed_out == 1);
    loop.clock.advance(std::chrono::seconds(2));
    co_await loop.settle();
    CHECK(timed_out == 2);
    CHECK(notifier.waiting() == 1);
    notifier.notify_all();
    co_await group.join();
    CHECK(notified == 1);
    co_await loop.settle();
    CHECK(loop.clock.waiting() == 0);
}

Task<void> cancelled_waiters(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    Notifier notifier(loop.executor());
    int notified = 0;
    int timed_out = 0;
    const auto until = loop.clock.now() + std::chrono::seconds(1);
    group.start("a", wait_until_and_note(notifier, loop.clock, until, notified, timed_out));
    co_await loop.settle();
    group.cancel();
    co_await group.join();
    CHECK(notified == 0);
    CHECK(notifier.waiting() == 0);
    co_await loop.settle();
    CHECK(loop.clock.waiting() == 0);
}

Task<Result<int>> give(int value) { co_return value; }

Task<Result<int>> wait_then_give(Notifier& notifier, int& ended) {
    struct AtEnd {
        int& ended;
        ~AtEnd() { ++ended; }
    } at_end{ended};
    co_await notifier.wait();
    co_return 7;
}

Task<Result<int>> give_up() {
    co_await boost::asio::this_coro::executor;
    throw std::runtime_error("broken");
}

Task<void> deadline_cases(Loop& loop) {
    Notifier notifier(loop.executor());
    int ended = 0;
    auto quick = co_await with_deadline(give(3), loop.clock, std::chrono::seconds(1));
    CHECK(quick.value() == 3);
    bool thrown = false;
    try {
        auto broken = co_await with_deadline(give_up(), loop.clock, std::chrono::seconds(1));
        CHECK(!broken);
    } catch (const std::runtime_error&) {
        thrown = true;
    }
    CHECK(thrown);
    co_await loop.settle();
    CHECK(loop.clock.waiting() == 0);
    CHECK(ended == 0);
}

Task<void> use_deadline(Loop& loop, Notifier& notifier, int& ended, std::string& out) {
    auto slow = co_await with_deadline(wait_then_give(notifier, ended), loop.clock,
                                       std::chrono::seconds(5));
    out = slow ? std::to_string(*slow) : slow.error().message;
}

Task<void> deadline_passes(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    Notifier notifier(loop.executor());
    int ended = 0;
    std::string late;
    std::string cut;
    group.start("late", use_deadline(loop, notifier, ended, late));
    co_await loop.settle();
    loop.clock.advance(std::chrono::seconds(4));
    co_await loop.settle();
    CHECK(ended == 0);
    loop.clock.advance(std::chrono::seconds(2));
    co_await group.join();
    CHECK(ended == 1);
    CHECK(late == "not done after 5s");

    group.start("cut", use_deadline(loop, notifier, ended, cut));
    co_await loop.settle();
    group.cancel();
    co_await group.join();
    CHECK(ended == 2);
    co_await loop.settle();
    CHECK(loop.clock.waiting() == 0);
}

}  // namespace

TEST_CASE("notify_all() wakes every waiter") {
    Loop loop;
    loop.run(wakes_all(loop));
}

TEST_CASE("a notifier that ends wakes its waiters") {
    Loop loop;
    loop.run(ends_with_its_notifier(loop));
}

TEST_CASE("wait_until() follows the clock it is given") {
    Loop loop(false);
    loop.run(times_out(loop));
}

TEST_CASE("a cancelled waiter leaves nothing behind") {
    Loop loop(false);
    loop.run(cancelled_waiters(loop));
}

TEST_CASE("an operation within its deadline gives its own result") {
    Loop loop(false);
    loop.run(deadline_cases(loop));
}

TEST_CASE("an operation over its deadline is ended and awaited") {
    Loop loop(false);
    loop.run(deadline_passes(loop));
}

}  // namespace longhaul::net::test
