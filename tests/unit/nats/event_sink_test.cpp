#include "longhaul/nats/event_sink.hpp"
#include "longhaul/wire/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/nats/nats_fixture.hpp"

namespace longhaul::nats {
namespace {

using std::chrono::seconds;

port::OutgoingEvent event(const std::string& order, int revision) {
    port::OutgoingEvent made;
    made.id = order + "." + std::to_string(revision);
    made.subject = "longhaul.v1.events.acme.f.running";
    made.order = order;
    made.body = "{\"id\":\"" + made.id + "\"}";
    return made;
}

EventSinkOptions into_stream(bool create) {
    EventSinkOptions options;
    options.stream = "EVENTS";
    options.create_stream = create;
    options.publish_timeout = seconds(10);
    return options;
}

struct SinkFixture : Fixture {
    SinkFixture(const test::NatsServer& server, EventSinkOptions options)
        : Fixture(quick_options(server.url())), sink(bus, clock, Logger(), std::move(options)) {
        open();
        REQUIRE(connects());
    }
    Result<void> publish(std::vector<port::OutgoingEvent> events) {
        return test::run_task(context, sink.publish(std::move(events)));
    }
    // What the API of JetStream answers.
    wire::Json ask(const std::string& what, const std::string& body = {}) {
        std::vector<NatsMessage> question(1);
        question[0].subject = "$JS.API.STREAM." + what;
        question[0].payload = body;
        const auto answers =
            test::run_task(context, bus.request_all(std::move(question), seconds(10)));
        return wire::parse_json(answers.value().front()).value();
    }
    std::int64_t stored() { return *ask("INFO.EVENTS")["state"]["messages"].as_integer(); }

    NatsEventSink sink;
};

}  // namespace

TEST_CASE("plain events reach who is subscribed") {
    test::NatsServer server;
    SinkFixture fixture{server, {}};
    const auto subscription = fixture.hear("longhaul.v1.events.>");
    REQUIRE(fixture.flush());
    REQUIRE(fixture.publish({event("a", 1), event("a", 2)}));
    REQUIRE(fixture.hears(2));
    CHECK(fixture.heard.front() == "longhaul.v1.events.acme.f.running={\"id\":\"a.1\"}");
    server.kill9();
    REQUIRE(fixture.until([&] { return !fixture.bus.connected(); }));
    CHECK(fixture.publish({event("a", 3)}).error().code == Errc::unavailable);
}

TEST_CASE("a stream is made if asked, stores every event once, in order, and survives a kill") {
    test::NatsServer server{{.jetstream = true}};
    SinkFixture fixture{server, into_stream(true)};
    std::vector<port::OutgoingEvent> events;
    for (int revision = 1; revision <= 20; ++revision)
        for (const char* order : {"a", "b", "c"}) events.push_back(event(order, revision));
    REQUIRE(fixture.publish(events));
    CHECK(fixture.stored() == 60);
    REQUIRE(fixture.publish(events));  // again: their ids are known
    CHECK(fixture.stored() == 60);

    server.kill9();
    server.start();
    REQUIRE(fixture.until([&] { return fixture.resyncs == 2; }));
    REQUIRE(fixture.publish({event("a", 21)}));
    CHECK(fixture.stored() == 61);
    const auto last = fixture.ask("MSG.GET.EVENTS", "{\"seq\":1}");
    CHECK(*last["message"]["seq"].as_integer() == 1);
}

TEST_CASE("a stream that is not there and shall not be made is an error that says so") {
    test::NatsServer server{{.jetstream = true}};
    SinkFixture fixture{server, into_stream(false)};
    const auto refused = fixture.publish({event("a", 1)});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("there is no stream EVENTS") != std::string::npos);
    const auto made =
        fixture.ask("CREATE.EVENTS", R"({"name":"EVENTS","subjects":["longhaul.v1.events.>"]})");
    REQUIRE_FALSE(made.find("error"));
    REQUIRE(fixture.publish({event("a", 1)}));
    CHECK(fixture.stored() == 1);
}

TEST_CASE("a stream that was deleted meanwhile is made again, and the events go on") {
    test::NatsServer server{{.jetstream = true}};
    SinkFixture fixture{server, into_stream(true)};
    REQUIRE(fixture.publish({event("a", 1)}));
    REQUIRE_FALSE(fixture.ask("DELETE.EVENTS").find("error"));
    CHECK_FALSE(fixture.publish({event("a", 2)}));
    REQUIRE(fixture.publish({event("a", 2)}));
    CHECK(fixture.stored() == 1);
}

TEST_CASE("a server without JetStream is an error that says so") {
    test::NatsServer server;
    SinkFixture fixture{server, into_stream(true)};
    const auto refused = fixture.publish({event("a", 1)});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("JetStream") != std::string::npos);
}

TEST_CASE("what is wrong with the options of events is told by name") {
    const auto document = parse_toml(R"([events]
stream = "a.b"
stream_replicas = 9
stream_max_age = "1m"
stream_duplicate_window = "2m"
)",
                                     "l.toml")
                              .value();
    EventSinkOptions options;
    ConfigReader reader{document};
    read_event_sink_options(reader, options);
    const auto done = reader.finish();
    REQUIRE_FALSE(done);
    for (const char* name :
         {"events.stream ", "events.stream_replicas", "events.stream_duplicate_window"})
        CHECK(done.error().message.find(name) != std::string::npos);
}

}  // namespace longhaul::nats
