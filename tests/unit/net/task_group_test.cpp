#include "longhaul/net/task_group.hpp"

#include "longhaul/base/log.hpp"
#include "tests/unit/net/net_fixture.hpp"

#include <boost/asio/io_context.hpp>

#include <stdexcept>

namespace longhaul::net::test {
namespace {

Task<void> count_up(int& counter) {
    ++counter;
    co_return;
}

Task<void> wait_for_ever(Notifier& notifier, int& ended) {
    struct AtEnd {
        int& ended;
        ~AtEnd() { ++ended; }
    } at_end{ended};
    while (true) co_await notifier.wait();
}

Task<void> fail() {
    co_await boost::asio::this_coro::executor;
    throw std::runtime_error("broken");
}

Task<void> join(TaskGroup& group) { co_await group.join(); }

Task<void> starts_later(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    int counter = 0;
    group.start("count", count_up(counter));
    group.start("count", count_up(counter));
    CHECK(counter == 0);
    CHECK(group.size() == 2);
    co_await group.join();
    CHECK(counter == 2);
    CHECK(group.size() == 0);
    co_await group.join();
}

Task<void> cancels(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    Notifier notifier(loop.executor());
    int ended = 0;
    for (int i = 0; i < 100; ++i) group.start("wait", wait_for_ever(notifier, ended));
    co_await loop.settle();
    CHECK(notifier.waiting() == 100);
    int counter = 0;
    group.start("never begins", count_up(counter));
    group.cancel();
    group.start("too late", count_up(counter));
    co_await group.join();
    CHECK(ended == 100);
    CHECK(counter == 0);
    CHECK(group.cancelled());
    CHECK(group.failures() == 0);
    CHECK(notifier.waiting() == 0);
}

Task<void> survives(Loop& loop) {
    TaskGroup group(loop.executor(), Logger{});
    TaskGroup joiners(loop.executor(), Logger{});
    int counter = 0;
    group.start("fail", fail());
    group.start("count", count_up(counter));
    joiners.start("join", join(group));
    joiners.start("join", join(group));
    co_await joiners.join();
    CHECK(group.failures() == 1);
    CHECK(counter == 1);
}

}  // namespace

TEST_CASE("a group that is cancelled before its loop runs begins nothing") {
    boost::asio::io_context io;
    TaskGroup group(io.get_executor(), Logger{});
    int counter = 0;
    group.start("never begins", count_up(counter));
    group.cancel();
    io.run();
    CHECK(counter == 0);
    CHECK(group.size() == 0);
    CHECK(group.failures() == 0);
}

TEST_CASE("a task begins after start() has returned, and join() awaits it") {
    Loop loop;
    loop.run(starts_later(loop));
}

TEST_CASE("cancelled tasks end, and later ones never begin") {
    Loop loop;
    loop.run(cancels(loop));
}

TEST_CASE("a task that throws is counted and harms no other") {
    Loop loop;
    loop.run(survives(loop));
}

}  // namespace longhaul::net::test
