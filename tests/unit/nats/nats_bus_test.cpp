#include "tests/support/catch.hpp"
#include "tests/unit/nats/nats_fixture.hpp"

#include <fstream>

namespace longhaul::nats {

TEST_CASE("what is published is heard, by subject and by wildcard, in order") {
    test::NatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto all = fixture.hear("a.*");
    REQUIRE(fixture.connects());
    REQUIRE(fixture.flush());
    REQUIRE(fixture.bus.publish("a.x", "1"));
    REQUIRE(fixture.bus.publish("b.x", "2"));
    REQUIRE(fixture.bus.publish("a.y", std::string("\0\n\xff", 3)));
    REQUIRE(fixture.hears(2));
    CHECK(fixture.heard == std::vector<std::string>{"a.x=1", "a.y=" + std::string("\0\n\xff", 3)});
}

TEST_CASE("a subscription made before there is a server hears once there is one") {
    const std::uint16_t port = test::free_port();
    Fixture fixture{quick_options("nats://127.0.0.1:" + std::to_string(port))};
    const auto rest = fixture.hear("a.>");
    fixture.open();
    CHECK(fixture.bus.publish("a.b", "lost").error().code == Errc::unavailable);
    REQUIRE_FALSE(fixture.bus.connected());
    test::NatsServer server{{port}};
    REQUIRE(fixture.connects());
    CHECK(fixture.resyncs == 1);
    REQUIRE(fixture.bus.publish("a.b.c", "1"));
    REQUIRE(fixture.hears(1));
    CHECK(fixture.heard == std::vector<std::string>{"a.b.c=1"});
}

TEST_CASE("a server that is killed and comes back is used again, with every subscription") {
    test::NatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto first = fixture.hear("a");
    const auto second = fixture.hear("b");
    REQUIRE(fixture.connects());
    for (int round = 1; round <= 5; ++round) {
        server.kill9();
        REQUIRE(fixture.until([&] { return !fixture.bus.connected(); }));
        CHECK(fixture.bus.publish("a", "lost").error().code == Errc::unavailable);
        server.start();
        REQUIRE(fixture.connects());
        CHECK(fixture.resyncs == round + 1);
        fixture.heard.clear();
        REQUIRE(fixture.bus.publish("a", "1"));
        REQUIRE(fixture.bus.publish("b", "2"));
        REQUIRE(fixture.hears(2));
    }
    CHECK(fixture.metric("connects_total") == 6);
}

TEST_CASE("a server that has stopped answering is noticed, and used again when it goes on") {
    test::NatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto subscription = fixture.hear("a");
    REQUIRE(fixture.connects());
    server.freeze(true);
    REQUIRE(fixture.until([&] { return !fixture.bus.connected(); }));
    server.freeze(false);
    REQUIRE(fixture.connects());
    REQUIRE(fixture.bus.publish("a", "1"));
    REQUIRE(fixture.hears(1));
}

TEST_CASE("pings alone notice a server that has stopped answering") {
    test::NatsServer server;
    NatsOptions options = quick_options(server.url());
    options.watchdog_interval = std::chrono::minutes(5);
    options.ping_interval = std::chrono::milliseconds(100);
    Fixture fixture{options};
    fixture.open();
    REQUIRE(fixture.connects());
    server.freeze(true);
    REQUIRE(fixture.until([&] { return !fixture.bus.connected(); }));
    server.freeze(false);
}

TEST_CASE("probes keep a silent subscription from being renewed, and no handler sees them") {
    test::NatsServer server;
    NatsOptions options = quick_options(server.url());
    options.watchdog_interval = std::chrono::milliseconds(300);
    Fixture fixture{options};
    Fixture other{options};
    fixture.open();
    other.open();
    const auto subscription = fixture.hear("a.*");
    const auto same = other.hear("a.*");
    REQUIRE(fixture.connects());
    REQUIRE(other.connects());
    const auto end = fixture.clock.now() + std::chrono::milliseconds(1'500);
    REQUIRE(fixture.until([&] {
        other.context.restart();
        other.context.poll();
        return fixture.clock.now() >= end;
    }));
    CHECK(fixture.heard.empty());
    CHECK(other.heard.empty());
    CHECK(fixture.bus.connected());
    CHECK(fixture.metric("renewals_total") == 0);
    CHECK(fixture.metric("connects_total") == 1);
}

TEST_CASE("many messages arrive complete and in order") {
    test::NatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    const auto subscription = fixture.hear("a");
    REQUIRE(fixture.connects());
    constexpr std::size_t kCount = 20'000;
    for (std::size_t sent = 0; sent < kCount; ++sent) {
        if (!fixture.bus.publish("a", std::to_string(sent))) {
            // As many wait as may: they go first.
            REQUIRE(fixture.hears(fixture.heard.size() + 1));
            --sent;
        }
    }
    REQUIRE(fixture.hears(kCount));
    bool in_order = true;
    for (std::size_t at = 0; at < kCount; ++at)
        in_order = in_order && fixture.heard[at] == "a=" + std::to_string(at);
    CHECK(in_order);
}

TEST_CASE("what no handler takes in time is dropped and counted, and the owner is told") {
    test::NatsServer server;
    NatsOptions options = quick_options(server.url());
    options.pending_max = 10;
    Fixture fixture{options};
    Fixture sender{quick_options(server.url())};
    fixture.open();
    sender.open();
    const auto subscription = fixture.hear("a");
    REQUIRE(fixture.connects());
    REQUIRE(sender.connects());
    REQUIRE(fixture.flush());
    const int resyncs = fixture.resyncs;
    for (int i = 0; i < 100; ++i) REQUIRE(sender.bus.publish("a", std::to_string(i)));
    REQUIRE(sender.until([&] { return fixture.metric("dropped_total", "queue") == 90; }));
    REQUIRE(fixture.hears(10));
    CHECK(fixture.heard.back() == "a=9");
    CHECK(fixture.until([&] { return fixture.resyncs > resyncs; }));
}

TEST_CASE("the switch for tests loses about as many messages as it says") {
    test::NatsServer server;
    NatsOptions options = quick_options(server.url());
    options.test_drop_percent = 50;
    Fixture fixture{options};
    fixture.open();
    const auto subscription = fixture.hear("a");
    REQUIRE(fixture.connects());
    REQUIRE(fixture.flush());
    for (int i = 0; i < 1000; ++i) REQUIRE(fixture.bus.publish("a", "x"));
    REQUIRE(fixture.until(
        [&] { return fixture.heard.size() + fixture.metric("dropped_total", "test") == 1000; }));
    CHECK(fixture.heard.size() > 400);
    CHECK(fixture.heard.size() < 600);
}

TEST_CASE("an ended subscription hears nothing more, also when its handler ends it") {
    test::NatsServer server;
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    std::unique_ptr<port::Subscription> once;
    int calls = 0;
    once = fixture.bus
               .subscribe("a",
                          [&](std::string_view, std::string_view) {
                              ++calls;
                              once.reset();
                          })
               .value();
    REQUIRE(fixture.connects());
    for (int i = 0; i < 10; ++i) REQUIRE(fixture.bus.publish("a", "x"));
    REQUIRE(fixture.until([&] { return calls == 1; }));
    REQUIRE(fixture.flush());
    CHECK(calls == 1);
}

TEST_CASE("requests are answered together and in order; nobody there is an error") {
    test::NatsServer server{{.jetstream = true}};
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    REQUIRE(fixture.connects());
    std::vector<NatsMessage> questions(3);
    for (NatsMessage& question : questions) question.subject = "$JS.API.INFO";
    const auto answers = test::run_task(
        fixture.context, fixture.bus.request_all(questions, std::chrono::seconds(10)));
    REQUIRE(answers);
    REQUIRE(answers->size() == 3);
    for (const std::string& answer : *answers)
        CHECK(answer.find("account_info_response") != std::string::npos);
    const auto nobody = test::run_task(
        fixture.context,
        fixture.bus.request_all({NatsMessage{"nobody.here"}}, std::chrono::seconds(10)));
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == Errc::unavailable);
}

TEST_CASE("a bus closes while there is a server, while there is none, and while it is frozen") {
    SECTION("none") {
        Fixture fixture{quick_options("nats://127.0.0.1:" + std::to_string(test::free_port()))};
        fixture.open();
        fixture.close();
    }
    SECTION("frozen") {
        test::NatsServer server;
        Fixture fixture{quick_options(server.url())};
        fixture.open();
        const auto subscription = fixture.hear("a");
        REQUIRE(fixture.connects());
        server.freeze(true);
        REQUIRE(fixture.bus.publish("a", "x"));
        fixture.close();
        server.freeze(false);
    }
    SECTION("there, with messages on their way") {
        test::NatsServer server;
        Fixture fixture{quick_options(server.url())};
        fixture.open();
        const auto subscription = fixture.hear("a");
        REQUIRE(fixture.connects());
        for (int i = 0; i < 1000; ++i) REQUIRE(fixture.bus.publish("a", "x"));
        fixture.close();
        const std::size_t heard = fixture.heard.size();
        fixture.context.restart();
        fixture.context.poll();
        CHECK(fixture.heard.size() == heard);
    }
}

TEST_CASE("what is published before the close is sent") {
    test::NatsServer server;
    Fixture listener{quick_options(server.url())};
    listener.open();
    const auto subscription = listener.hear("a");
    REQUIRE(listener.connects());
    REQUIRE(listener.flush());
    {
        Fixture fixture{quick_options(server.url())};
        fixture.open();
        REQUIRE(fixture.connects());
        for (int i = 0; i < 100; ++i) REQUIRE(fixture.bus.publish("a", "x"));
    }
    CHECK(listener.hears(100));
}

TEST_CASE("a message over the server's limit is refused by name, a wrong subject too") {
    test::NatsServer server{{.config = "max_payload: 1000\n"}};
    Fixture fixture{quick_options(server.url())};
    fixture.open();
    REQUIRE(fixture.connects());
    CHECK(fixture.bus.publish("a", std::string(1001, 'x')).error().code == Errc::too_large);
    CHECK(fixture.bus.publish("a.*", "x").error().code == Errc::invalid_argument);
    CHECK(fixture.bus.subscribe("a..b", [](auto, auto) {}).error().code == Errc::invalid_argument);
}

TEST_CASE("a wrong password is tried again for ever, until it is right") {
    test::NatsServer server{{.config = "authorization { user: a, password: right }\n"}};
    const std::string port = std::to_string(server.port());
    Fixture wrong{quick_options("nats://a:wrong@127.0.0.1:" + port)};
    Fixture right{quick_options("nats://a:right@127.0.0.1:" + port)};
    wrong.open();
    right.open();
    REQUIRE(right.connects());
    const auto end = wrong.clock.now() + std::chrono::milliseconds(300);
    REQUIRE(wrong.until([&] { return wrong.clock.now() >= end; }));
    CHECK_FALSE(wrong.bus.connected());
}

TEST_CASE("files that the options name must be there when the bus opens") {
    NatsOptions options = quick_options("nats://127.0.0.1:4222");
    options.creds_file = "/nowhere/user.creds";
    Fixture fixture{options};
    const auto opened = fixture.bus.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find("nats.creds_file") != std::string::npos);
}

}  // namespace longhaul::nats
