#include "status_service/driver/push_bus.hpp"

#include "longhaul/wire/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/run.hpp"

#include <map>

namespace longhaul::status_service {
namespace {

using namespace std::chrono_literals;

// Gateways with memory: what each took, and how each answers.
struct World {
    explicit World(std::vector<std::string> gateways, const PushLimits& limits = {})
        : bus(context.get_executor(), clock, Logger{}, peer, gateways, limits) {
        for (const std::string& address : gateways) serve(address);
    }
    ~World() { stop(); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void serve(const std::string& address) {
        peer.serve(address,
                   [this, address](port::PeerRequest request)
                       -> boost::asio::awaitable<Result<port::PeerResponse>> {
                       const int status = answers.contains(address) ? answers[address] : 204;
                       if (status == 204) took[address].push_back(payload_of(request));
                       co_return test::make_response(status, "{}");
                   });
    }
    static std::string payload_of(const port::PeerRequest& request) {
        const auto message = wire::parse_json(request.body);
        REQUIRE(message);
        CHECK(request.target == "/v1/status");
        CHECK(*(*message)["subject"].as_string() == "longhaul.v1.status.0");
        return *(*message)["payload"].as_string();
    }
    void publish(const std::string& payload) {
        REQUIRE(bus.publish("longhaul.v1.status.0", payload));
    }
    void stop() {
        bool ended = false;
        boost::asio::co_spawn(context, stopping(ended), [](std::exception_ptr) {});
        (void)test::run_until(context, clock, [&ended] { return ended; });
    }
    boost::asio::awaitable<void> stopping(bool& ended) {
        co_await bus.stop();
        ended = true;
    }

    boost::asio::io_context context;
    test::FakeClock clock;
    test::FakePeer peer{context.get_executor(), clock, 1};
    std::map<std::string, std::vector<std::string>> took{};
    std::map<std::string, int> answers{};
    PushBus bus;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("each gateway gets each message, in order") {
    World world{{"a:1", "b:1"}};
    for (const char* word : {"1", "2", "3"}) world.publish(word);
    test::run_for(world.context, world.clock, 1s);
    CHECK(world.took["a:1"] == Words{"1", "2", "3"});
    CHECK(world.took["b:1"] == Words{"1", "2", "3"});
    CHECK(world.bus.counters().pushed == 6);
}

TEST_CASE("a gateway that is away holds up no other and gets the newest when it returns") {
    PushLimits limits;
    limits.queued_max = 2;
    World world{{"a:1", "b:1"}, limits};
    world.peer.remove("a:1");
    for (const char* word : {"1", "2", "3", "4"}) {
        world.publish(word);
        test::run_for(world.context, world.clock, 3s);
    }
    CHECK(world.took["b:1"] == Words{"1", "2", "3", "4"});
    CHECK(world.took["a:1"].empty());
    world.serve("a:1");
    test::run_for(world.context, world.clock, 3s);
    CHECK(world.took["a:1"] == Words{"3", "4"});
    CHECK(world.bus.counters().dropped == 2);
}

TEST_CASE("a message that a gateway calls wrong does not stop the next ones") {
    World world{{"a:1"}};
    world.answers["a:1"] = 400;
    world.publish("1");
    test::run_for(world.context, world.clock, 1s);
    world.answers.clear();
    world.publish("2");
    test::run_for(world.context, world.clock, 1s);
    CHECK(world.took["a:1"] == Words{"2"});
    CHECK(world.bus.counters().refused == 1);
}

TEST_CASE("a gateway that stops or starts is asked again") {
    World world{{"a:1"}};
    world.answers["a:1"] = 503;
    world.publish("1");
    test::run_for(world.context, world.clock, 5s);
    CHECK(world.took["a:1"].empty());
    world.answers.clear();
    test::run_for(world.context, world.clock, 2s);
    CHECK(world.took["a:1"] == Words{"1"});
}

TEST_CASE("without gateways nobody gets anything, and the publisher learns it") {
    World world{{}};
    CHECK(world.bus.publish("longhaul.v1.status.0", "x").error().code == Errc::unavailable);
}

}  // namespace longhaul::status_service
