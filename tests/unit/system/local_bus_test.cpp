#include "longhaul/system/local_bus.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <string>
#include <vector>

namespace longhaul::system {

namespace {

struct Fixture {
    boost::asio::io_context context;
    std::vector<std::string> heard;

    std::unique_ptr<port::Subscription> hear(LocalBus& bus, const std::string& pattern) {
        return bus
            .subscribe(pattern,
                       [this](std::string_view subject, std::string_view payload) {
                           heard.push_back(std::string{subject} + "=" + std::string{payload});
                       })
            .value();
    }
};

}  // namespace

TEST_CASE("a publish runs no handler before it returns, and delivers in order") {
    Fixture fixture;
    LocalBus bus{fixture.context.get_executor()};
    const auto subscription = fixture.hear(bus, "a.*");
    REQUIRE(bus.publish("a.x", "1"));
    REQUIRE(bus.publish("b.x", "2"));
    REQUIRE(bus.publish("a.y", "3"));
    CHECK(fixture.heard.empty());
    fixture.context.run();
    CHECK(fixture.heard == std::vector<std::string>{"a.x=1", "a.y=3"});
    CHECK(bus.counters().published == 3);
    CHECK(bus.counters().delivered == 2);
}

TEST_CASE("an ended subscription hears nothing, also of what was published before its end") {
    Fixture fixture;
    LocalBus bus{fixture.context.get_executor()};
    auto subscription = fixture.hear(bus, ">");
    REQUIRE(bus.publish("a", "1"));
    subscription.reset();
    fixture.context.run();
    CHECK(fixture.heard.empty());
}

TEST_CASE("a handler may end its own subscription, subscribe and publish") {
    Fixture fixture;
    LocalBus bus{fixture.context.get_executor()};
    std::unique_ptr<port::Subscription> first;
    std::unique_ptr<port::Subscription> second;
    first = bus.subscribe("a",
                          [&](std::string_view, std::string_view) {
                              first.reset();
                              second = fixture.hear(bus, "b");
                              REQUIRE(bus.publish("b", "again"));
                          })
                .value();
    REQUIRE(bus.publish("a", "1"));
    REQUIRE(bus.publish("a", "2"));
    fixture.context.run();
    CHECK(fixture.heard == std::vector<std::string>{"b=again"});
}

TEST_CASE("what waits on the bus is bounded in messages and in bytes, and drops are counted") {
    Fixture fixture;
    LocalBus bus{
        fixture.context.get_executor(),
        LocalBusLimits{.pending_max = 2, .pending_bytes_max = 100, .message_bytes_max = 50}};
    const auto subscription = fixture.hear(bus, ">");
    REQUIRE(bus.publish("a", "1"));
    REQUIRE(bus.publish("a", "2"));
    const auto third = bus.publish("a", "3");
    REQUIRE_FALSE(third);
    CHECK(third.error().code == Errc::unavailable);
    CHECK(bus.counters().dropped == 1);
    fixture.context.run();
    fixture.context.restart();
    CHECK(fixture.heard.size() == 2);
    CHECK(bus.publish("a", std::string(51, 'x')).error().code == Errc::too_large);
    REQUIRE(bus.publish("a", std::string(50, 'x')));
    CHECK(bus.publish("a", std::string(50, 'x')).error().code == Errc::unavailable);
    fixture.context.run();
    CHECK(fixture.heard.size() == 3);
}

TEST_CASE("many messages are delivered over several turns of the loop") {
    Fixture fixture;
    LocalBus bus{fixture.context.get_executor()};
    const auto subscription = fixture.hear(bus, ">");
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(bus.publish("a", std::to_string(i)));
    }
    fixture.context.poll_one();
    CHECK(fixture.heard.size() < 1000);
    fixture.context.run();
    REQUIRE(fixture.heard.size() == 1000);
    CHECK(fixture.heard.back() == "a=999");
}

TEST_CASE("a message that nobody subscribed to is no error, a wrong subject is") {
    Fixture fixture;
    LocalBus bus{fixture.context.get_executor()};
    CHECK(bus.publish("a.b", "1"));
    CHECK(bus.publish("a.*", "1").error().code == Errc::invalid_argument);
    CHECK(bus.subscribe("a..b", [](auto, auto) {}).error().code == Errc::invalid_argument);
}

TEST_CASE("a subscription may outlive its bus") {
    Fixture fixture;
    std::unique_ptr<port::Subscription> subscription;
    {
        LocalBus bus{fixture.context.get_executor()};
        subscription = fixture.hear(bus, ">");
        REQUIRE(bus.publish("a", "1"));
    }
    fixture.context.run();
    CHECK(fixture.heard.empty());
}

}  // namespace longhaul::system
