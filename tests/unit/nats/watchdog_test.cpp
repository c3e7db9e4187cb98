#include "tests/support/catch.hpp"
#include "tests/support/deaf_nats_server.hpp"
#include "tests/unit/nats/nats_fixture.hpp"

namespace longhaul::nats {

TEST_CASE("a subscription that the server has forgotten is renewed, and the owner told") {
    test::DeafNatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto subscription = fixture.hear("a.*");
    REQUIRE(fixture.connects());
    REQUIRE(fixture.bus.publish("a.b", "1"));
    REQUIRE(fixture.hears(1));
    const int before = server.subscriptions();
    const int resyncs = fixture.resyncs;
    server.forget_subscriptions();
    REQUIRE(fixture.until([&] { return fixture.resyncs > resyncs; }));
    CHECK(server.subscriptions() > before);
    CHECK(server.connections() == 1);
    // Which of the two subscriptions, this and that for answers, was renewed first is open.
    REQUIRE(fixture.until([&] {
        (void)fixture.bus.publish("a.b", "2");
        return fixture.heard.back() == "a.b=2";
    }));
    CHECK(fixture.metric("renewals_total") >= 1);
}

TEST_CASE("a connection on which nothing comes any more, pings aside, is given up for a new one") {
    test::DeafNatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto subscription = fixture.hear("a.*");
    REQUIRE(fixture.connects());
    server.go_deaf();
    REQUIRE(fixture.until([&] { return server.connections() == 2 && fixture.bus.connected(); }));
    REQUIRE(fixture.bus.publish("a.b", "1"));
    REQUIRE(fixture.hears(1));
    CHECK(fixture.heard.back() == "a.b=1");
}

}  // namespace longhaul::nats
