#include "tests/unit/host_agent/flows.hpp"

#include "longhaul/base/at_exit.hpp"
#include "longhaul/wire/instance_control.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_peer.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

CoreLimits limits() {
    return {.instances_max = 1000,
            .memory_mb = 100'000,
            .runs_max = 1000,
            .fences_max = 100,
            .take_lease = std::chrono::hours(1),
            .instance_lease = std::chrono::hours(1),
            .fence_retention = std::chrono::hours(1)};
}

SpawnSettings spawn_settings(const test::TempFolder& folder) {
    SpawnSettings settings;
    settings.program = "/bin/true";
    settings.instances_dir = folder / "instances";
    settings.host_socket = folder / "agents.sock";
    return settings;
}

asio::awaitable<void> ignore(asio::awaitable<Result<void>> task) { (void)co_await std::move(task); }

using KillAnswers = Result<std::vector<wire::KillAnswer>>;

asio::awaitable<void> keep(asio::awaitable<KillAnswers> task, std::optional<KillAnswers>& answers) {
    answers = co_await std::move(task);
}

}  // namespace

asio::awaitable<Result<port::PeerResponse>> FakeAgents::call(std::string address,
                                                             port::PeerRequest request,
                                                             Duration limit) {
    ++asked;
    open_max = std::max(open_max, ++open);
    const AtExit closed([this] { --open; });
    const bool assigns = request.target == "/v1/assign";
    if (assigns && throws) throw std::runtime_error("a fault that nobody foresaw");
    // Also for a moment: side by side is seen as such.
    const bool answers = !is_silent && !silent.contains(address);
    const TimePoint until = clock_.now() + (answers ? std::chrono::milliseconds(1) : limit);
    co_await clock_.wait_until(until);
    if (!answers) co_return make_error(Errc::timed_out, address + " does not answer");
    std::string body = "{\"proto\":1}";
    if (assigns) {
        auto json = wire::parse_json(request.body);
        const std::string* invocation = (*json)["invocation"].as_string();
        if (invocation != nullptr) assigned.push_back(*invocation);
    }
    if (request.target == "/v1/status") {
        wire::InstanceStatus status;
        status.incarnation = "i";
        status.ready = true;
        status.state = "loaded";
        status.data_address = "127.0.0.1:1";
        body = wire::to_json(status).dump();
    }
    co_return test::make_response(200, body);
}

Flows::Flows()
    : ledger(io.get_executor(), clock, Logger{}, limits(), 100'000),
      processes(clock, workers, spawn_settings(folder)),
      keeper(io.get_executor(), clock, Logger{}, ledger, control, processes, random,
             {std::chrono::seconds(10), std::chrono::seconds(10)}),
      files(clock, Logger{}, disk, workers, folder / "logs", folder / "results", {}),
      packages(io.get_executor(), clock, Logger{}, workers, blobs, folder / "packages", {},
               [](const Digest&) { return false; }),
      status(io.get_executor(), clock, Logger{}, ledger, keeper, files, log_watch),
      leases(io.get_executor(), clock, Logger{}, ledger, control, status,
             {std::chrono::seconds(2), 8}),
      takes(io.get_executor(), clock, Logger{}, ledger, keeper, control, leases, packages,
            {std::chrono::seconds(10), std::chrono::seconds(5)}),
      kills(io.get_executor(), clock, Logger{}, ledger, keeper, control, status, leases, files) {
    REQUIRE(ledger.replay(journal));
    REQUIRE(keeper.open([this](const InstanceId& id) { status.instance_dead(id); }));
    tasks.start("commit", ledger.run());
}

Flows::~Flows() {
    (void)test::run_task(io, clock, stop());
    test::settle(io);
}

asio::awaitable<bool> Flows::stop() {
    co_await takes.stop();
    co_await kills.stop();
    co_await leases.stop();
    co_await log_watch.stop();
    co_await status.stop();
    co_await keeper.stop();
    ledger.stop();
    co_await tasks.join();
    co_return true;
}

wire::TakeRequest Flows::request(const std::string& id, std::uint32_t memory_mb) {
    wire::TakeRequest request;
    request.owner = {0, 1};
    request.key = {InvocationId{id}, 1};
    request.token = Token{"t"};
    request.tenant = TenantName{"default"};
    request.function.name = FunctionName{"f"};
    request.function.version = Digest{"v"};
    request.function.memory_mb = memory_mb;
    request.function.keep_alive = std::chrono::hours(1);
    request.ms_left = 30'000;
    return request;
}

InstanceId Flows::idle_instance(const std::string& earlier) {
    const InstanceId id = serve(earlier);
    Records out;
    REQUIRE(ledger.core().ack(clock.now(), key(earlier), out));
    return id;
}

InstanceId Flows::leased_instance(const std::string& earlier) {
    const InstanceId id = serve(earlier);
    Records out;
    const Lease lease{{0, 1}, "rt of " + earlier, clock.now()};
    REQUIRE(ledger.core().lease(clock.now(), key(earlier), lease, "127.0.0.1:1", out));
    REQUIRE(ledger.core().ack(clock.now(), key(earlier), out));
    return id;
}

// A run from its take to its end.
InstanceId Flows::serve(const std::string& earlier) {
    const wire::TakeRequest served = request(earlier);
    HostCore& core = ledger.core();
    Records out;
    TakeInput input;
    input.owner = {0, 1};
    input.key = key(earlier);
    input.token = served.token;
    // Of another function, lest an idle one of this serve it.
    input.code.function = FunctionName{"none"};
    const LoadedCode code{served.tenant, served.function.name, served.function.version, Digest{},
                          served.function.keep_alive};
    input.memory_mb = served.function.memory_mb;
    input.fresh = keeper.fresh_id();
    const InstanceId id = input.fresh;
    REQUIRE(core.take(clock.now(), input, out).verdict == TakeVerdict::start);
    core.made(id, {{1, 1}, 0, address_of(id), "s"}, out);
    core.loaded(id, code, out);
    REQUIRE(core.assigned(clock.now(), input.key, "rt", "127.0.0.1:1", out));
    REQUIRE(core.ended(clock.now(), input.key, {kRankEnded, 9}, "{}", true, out));
    keeper.heard(id, {true, "loaded", "127.0.0.1:1"});
    return id;
}

wire::KillAnswer Flows::kill(const std::string& id) {
    std::vector<wire::KillOrder> orders(1);
    orders[0].owner = {0, 1};
    orders[0].key = {InvocationId{id}, 1};
    orders[0].token = Token{"t"};
    std::optional<KillAnswers> answers;
    tasks.start("kill", keep(kills.kill(std::move(orders)), answers));
    REQUIRE(until([&] { return answers.has_value(); }));
    REQUIRE(*answers);
    return (*answers)->front();
}

void Flows::drain_at_once() {
    tasks.start("drain", ignore(drain.begin({clock.now(), "a test", clock.now()})));
}

void Flows::stop_takes() { tasks.start("stop", takes.stop()); }

Taking::Taking(Flows& flows, wire::TakeRequest request) {
    flows.tasks.start("taking", run(flows.takes, std::move(request), state_));
}

asio::awaitable<void> Taking::run(TakeFlow& takes, wire::TakeRequest request,
                                  std::shared_ptr<State> state) {
    state->answer = co_await takes.take(std::move(request));
}

std::string Taking::problem() const {
    REQUIRE(ended());
    return *state_->answer ? "" : state_->answer->error().type;
}

InstanceId Taking::taken() const {
    INFO(problem());
    REQUIRE(*state_->answer);
    return (**state_->answer).instance;
}

}  // namespace longhaul::host_agent
