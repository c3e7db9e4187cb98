// The fakes that the simulator stands on.
#include "tests/support/catch.hpp"
#include "tests/support/fake_bus.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/run.hpp"

namespace longhaul::test {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

asio::awaitable<Result<std::string>> ask(port::Peer& peer, std::string address, std::string body) {
    port::PeerRequest request;
    request.method = "POST";
    request.target = "/echo";
    request.body = std::move(body);
    Result<port::PeerResponse> response =
        co_await peer.call(std::move(address), std::move(request), seconds{5});
    if (!response) {
        co_return response.error();
    }
    co_return co_await port::read_all(*response->body, 1000);
}

struct PeerFixture {
    FakeClock clock;
    asio::io_context context;
    FakePeer peer{context.get_executor(), clock, 7};
    int served = 0;

    PeerFixture() {
        peer.serve("echo:1",
                   [this](port::PeerRequest request) { return echo(std::move(request)); });
    }
    asio::awaitable<Result<port::PeerResponse>> echo(port::PeerRequest request) {
        ++served;
        co_await clock.wait_until(clock.now() + seconds{1});
        co_return make_response(200, request.body);
    }
    Result<std::string> ask_echo(std::string address = "echo:1") {
        return run_task(context, clock, ask(peer, std::move(address), "hi"));
    }
};

std::string heard_by_seed(std::uint64_t seed) {
    FakeClock clock;
    asio::io_context context;
    FakeBus bus{context.get_executor(), clock, seed};
    bus.set_faults(
        BusFaults{.drop = 0.2, .duplicate = 0.2, .delayed = 0.5, .delay_max = milliseconds{50}});
    std::string heard;
    const auto subscription =
        bus.subscribe("n.*", [&](std::string_view,
                                 std::string_view payload) { heard += std::string{payload} + " "; })
            .value();
    for (int i = 0; i < 50; ++i) {
        REQUIRE(bus.publish("n.x", std::to_string(i)));
        run_for(context, clock, milliseconds{1});
    }
    run_for(context, clock, seconds{1});
    return heard;
}

}  // namespace

TEST_CASE("a fake peer answers, refuses unknown addresses and loses what is cut") {
    PeerFixture fixture;
    CHECK(fixture.ask_echo().value() == "hi");
    CHECK(fixture.ask_echo("none:1").error().code == Errc::unreachable);
    fixture.peer.set_cut("echo:1", true);
    const TimePoint before = fixture.clock.now();
    CHECK(fixture.ask_echo().error().code == Errc::timed_out);
    CHECK(fixture.clock.now() - before == seconds{5});
    CHECK(fixture.served == 1);
    fixture.peer.set_cut("echo:1", false);
    fixture.peer.set_faults(PeerFaults{.lose_response = 1});
    CHECK(fixture.ask_echo().error().code == Errc::timed_out);
    CHECK(fixture.served == 2);
    fixture.peer.set_faults("echo:1", PeerFaults{.break_off = 1});
    CHECK(fixture.ask_echo().error().code == Errc::unavailable);
    CHECK(fixture.served == 3);
}

TEST_CASE("a fake server that dies breaks off its calls and ends its handlers") {
    PeerFixture fixture;
    fixture.clock.call_at(fixture.clock.now() + milliseconds{500},
                          [&] { fixture.peer.remove("echo:1"); });
    CHECK(fixture.ask_echo().error().code == Errc::unavailable);
    settle(fixture.context);
    CHECK(fixture.peer.running("echo:1") == 0);
    CHECK(fixture.ask_echo().error().code == Errc::unreachable);
}

TEST_CASE("a lossy bus repeats its history for its seed, and differs for another") {
    CHECK(heard_by_seed(1) == heard_by_seed(1));
    CHECK(heard_by_seed(1) != heard_by_seed(2));
}

}  // namespace longhaul::test
