// The whole way with real runtime agents: LONGHAUL_RUNTIME_AGENT names the program.
#include "longhaul/net/shutdown.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/house.hpp"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace longhaul::host_agent {
namespace {

// Without the program there is nothing to test here; the word is in the output.
#define NEEDS_RUNTIME_AGENT()                                                    \
    if (runtime_agent_path().empty()) {                                          \
        WARN("skipped: LONGHAUL_RUNTIME_AGENT does not name runtime_agent_ext"); \
        return;                                                                  \
    }

std::string path_of(const wire::TakeRequest& request, const std::string& what) {
    return "/v1/invocations/" + request.key.invocation.text + "/attempts/" +
           std::to_string(request.key.attempt) + "/" + what;
}

// A script that runs until the test makes the file `go`, which every uid can see.
std::string waits_for(const std::string& go) {
    return "echo started; while [ ! -e " + go + " ]; do sleep 0.02; done; echo done";
}

void make_go(const std::string& go) { std::ofstream(go) << "x"; }

wire::KillOrder order_for(const wire::TakeRequest& request, wire::KillMode mode) {
    wire::KillOrder order;
    order.owner = request.owner;
    order.key = request.key;
    order.token = request.token;
    order.mode = mode;
    order.grace_ms = 200;
    return order;
}

TEST_CASE("a command runs from its take to its reported end, with result and log") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const auto request = House::shell("run-1", "cat; echo to the log >&2");
    const auto taken = house.run(request, "the body");
    CHECK_FALSE(taken.loaded);
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    INFO(end.message);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    REQUIRE(end.result);
    CHECK((end.result->is_inline ? end.result->bytes : std::string("the body")) == "the body");
    const Reply log = house.host("GET", path_of(request, "logs"));
    CHECK(log.status == 200);
    CHECK(log.body.find(" e - to the log\n") != std::string::npos);
    CHECK(house.host("GET", path_of(request, "logs?follow=1&tail=1")).body == log.body);
    CHECK(house.host("GET", path_of(request, "logs?offset=100000")).body.empty());
    // And it is told to whoever listens.
    CHECK(house.until([&] {
        return !house.batches.empty() && !house.batches.back().entries.empty() &&
               house.batches.back().entries.back().rank == wire::Rank::ended;
    }));

    // The next one finds the instance loaded.
    const auto again = House::shell("run-2", "cat; echo to the log >&2");
    CHECK(house.run(again).loaded);
    (void)house.wait_for(again.key, wire::Rank::ended);
}

TEST_CASE("a large result is a file, served in ranges until it is acknowledged") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const auto request = House::shell("big", "head -c 300000 /dev/zero | tr '\\0' x");
    (void)house.run(request);
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    REQUIRE(end.result);
    CHECK_FALSE(end.result->is_inline);
    CHECK(end.result->size == 300'000);
    const Reply whole = house.host("GET", path_of(request, "result"));
    CHECK(whole.status == 200);
    CHECK(whole.body == std::string(300'000, 'x'));
    const Reply part = house.call(house.app->address(), "GET", path_of(request, "result"), "",
                                  {{"Range", "bytes=299990-"}});
    CHECK(part.status == 206);
    CHECK(part.body.size() == 10);

    const std::vector<wire::Ack> acks{{request.owner, request.key}};
    CHECK(house.host("POST", "/v1/ack:batch", wire::to_json(acks)).status == 200);
    CHECK(house.until([&] { return house.host("GET", path_of(request, "result")).status == 404; }));
    // A take of it that comes late starts nothing.
    CHECK(house.host("POST", "/v1/instances:take", wire::to_json(request)).problem() == "fenced");
}

TEST_CASE("a repeated take is the same instance, another token or an old term is refused") {
    NEEDS_RUNTIME_AGENT();
    House house;
    auto request = House::shell("same", "true");
    request.owner.term = 5;
    const Reply first = house.host("POST", "/v1/instances:take", wire::to_json(request));
    REQUIRE(first.status == 200);
    const Reply second = house.host("POST", "/v1/instances:take", wire::to_json(request));
    REQUIRE(second.status == 200);
    CHECK(*first.json()["instance"].as_string() == *second.json()["instance"].as_string());
    CHECK(*first.json()["run_token"].as_string() == *second.json()["run_token"].as_string());
    auto other = request;
    other.token = Token{std::string(32, 'b')};
    const Reply mismatch = house.host("POST", "/v1/instances:take", wire::to_json(other));
    CHECK(mismatch.status == 409);
    CHECK(mismatch.problem() == "token-mismatch");
    other = House::shell("other", "true");
    other.owner.term = 4;
    const Reply stale = house.host("POST", "/v1/instances:take", wire::to_json(other));
    CHECK(stale.status == 409);
    CHECK(stale.problem() == "stale-owner");

    // Given back, it may not start any more.
    const std::vector<wire::Ack> release{{request.owner, request.key}};
    CHECK(house.host("POST", "/v1/instances:release", wire::to_json(release)).status == 200);
    auto taken = wire::decode<wire::TakeAnswer>(first.body);
    REQUIRE(taken);
    CHECK(house.start(*taken, request).status >= 400);
}

TEST_CASE("a kill of an unknown attempt is a fence that a restart keeps") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const auto request = House::shell("unknown", "true");
    const auto answers = house.kill(order_for(request, wire::KillMode::kill));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].outcome == wire::KillOutcome::fenced);
    for (int life = 0; life < 2; ++life) {
        const Reply refused = house.host("POST", "/v1/instances:take", wire::to_json(request));
        CHECK(refused.status == 409);
        CHECK(refused.problem() == "fenced");
        house.stop_host();
        house.start_host();
    }
}

TEST_CASE("a kill ends what runs, with proof, and its instance is not used again") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const std::string open = house.folder / "open";  // to the function's user
    std::filesystem::create_directory(open);
    std::filesystem::permissions(open, std::filesystem::perms::all);
    const std::string up = open + "/up";
    const std::string script = "trap '' TERM; : > " + up + "; while :; do sleep 1; done";
    const auto request = House::shell("stubborn", script);
    const auto taken = house.run(request);
    REQUIRE(house.until([&up] { return std::filesystem::exists(up); }));
    const auto answers = house.kill(order_for(request, wire::KillMode::kill));
    CHECK(answers[0].outcome == wire::KillOutcome::stopping);
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::killed);
    CHECK(end.sigkill_sent);
    CHECK(end.tree_gone);
    CHECK(house.kill(order_for(request, wire::KillMode::kill))[0].outcome ==
          wire::KillOutcome::ended);
    const auto next = House::shell("after", script);
    const Reply reply = house.host("POST", "/v1/instances:take", wire::to_json(next));
    auto fresh = wire::decode<wire::TakeAnswer>(reply.body);
    REQUIRE(fresh);
    CHECK(fresh->instance != taken.instance);
}

TEST_CASE("a restarted host agent finds a run that went on, and the run does not notice") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const std::string go = house.folder / "go";
    const auto request = House::shell("long", waits_for(go));
    const auto taken = house.run(request);
    (void)house.wait_for(request.key, wire::Rank::running);
    const wire::StatusAnswer before = house.snapshot();
    house.stop_host();
    house.start_host();
    CHECK(house.until([&] { return house.snapshot().complete; }));
    const wire::StatusAnswer after = house.snapshot();
    CHECK(after.epoch > before.epoch);
    REQUIRE(after.entries.size() == 1);
    CHECK(after.entries[0].rank == wire::Rank::running);
    CHECK(after.entries[0].instance == taken.instance);
    // The same take again, under a newer owner: the same instance.
    auto again = request;
    again.owner.term = 2;
    const Reply repeated = house.host("POST", "/v1/instances:take", wire::to_json(again));
    REQUIRE(repeated.status == 200);
    CHECK(*repeated.json()["instance"].as_string() == taken.instance.text);
    make_go(go);
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a run that ended while no host agent was there is reported by the next") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const std::string go = house.folder / "go";
    const std::string gone = house.folder / "gone";
    std::filesystem::create_directory(gone);
    std::filesystem::permissions(gone, std::filesystem::perms::all);
    const auto request = House::shell("alone", waits_for(go) + "; : > " + gone + "/end");
    (void)house.run(request);
    (void)house.wait_for(request.key, wire::Rank::running);
    house.stop_host();
    make_go(go);
    CHECK(house.until([&] { return std::filesystem::exists(gone + "/end"); }));
    house.start_host();
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    CHECK(house.host("GET", path_of(request, "logs")).status == 200);
}

TEST_CASE("a runtime agent that dies takes its run along as lost, also over a restart") {
    NEEDS_RUNTIME_AGENT();
    House house;
    for (const bool restart : {false, true}) {
        const auto request = House::shell(restart ? "lost-2" : "lost-1", "sleep 60");
        (void)house.run(request);
        (void)house.wait_for(request.key, wire::Rank::running);
        const wire::Json state = house.host("GET", "/v1/state").json();
        pid_t pid = 0;
        for (const wire::Json& instance : *state["instances"].as_array())
            if (const auto* run = instance["invocation"].as_string();
                run != nullptr && *run == request.key.invocation.text)
                pid = static_cast<pid_t>(*instance["pid"].as_integer());
        REQUIRE(pid > 1);
        if (restart) house.stop_host();
        REQUIRE(::kill(pid, SIGKILL) == 0);
        if (restart) house.start_host();
        const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
        CHECK(end.outcome == AttemptOutcome::lost);
        CHECK_FALSE(end.message.empty());
    }
}

TEST_CASE("a log is followed while it grows, to its end") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const std::string go = house.folder / "go";
    const auto request = House::shell("follow", "exec >&2; " + waits_for(go));
    (void)house.run(request);
    std::string all;
    bool over = false;
    auto follow = [](House& h, std::string target, std::string& out,
                     bool& ended) -> boost::asio::awaitable<void> {
        port::PeerRequest message{"GET", std::move(target)};
        const std::string address = h.app->address();
        const Duration limit = std::chrono::seconds(30);
        auto response = co_await h.machine.peer.call(address, std::move(message), limit);
        while (response) {
            auto chunk = co_await response->body->read();
            if (!chunk || chunk->empty()) break;
            out += *chunk;
        }
        ended = true;
    };
    boost::asio::co_spawn(house.io, follow(house, path_of(request, "logs?follow=1"), all, over),
                          [](std::exception_ptr) {});
    CHECK(house.until([&] { return all.find("started\n") != std::string::npos; }));
    CHECK_FALSE(over);
    make_go(go);
    CHECK(house.until([&] { return over; }));
    CHECK(all.find("done\n") != std::string::npos);
}

TEST_CASE("no room is no-capacity, drain refuses, a later version's route says so") {
    NEEDS_RUNTIME_AGENT();
    House house;
    auto large = House::shell("large", "true");
    large.function.memory_mb = 5000;
    const Reply full = house.host("POST", "/v1/instances:take", wire::to_json(large));
    CHECK(full.status == 429);
    CHECK(full.problem() == "no-capacity");
    CHECK(house.host("POST", "/v1/prepare", wire::Json::object()).status == 501);
    CHECK(house.host("POST", "/v1/drain", wire::Json::object()).status == 200);
    const auto small = House::shell("small", "true");
    const Reply draining = house.host("POST", "/v1/instances:take", wire::to_json(small));
    CHECK(draining.status == 503);
    CHECK(draining.problem() == "draining");
    CHECK(*house.host("GET", "/v1/drain").json()["draining"].as_bool());
    wire::Json off = wire::Json::object();
    off.set("drain", false);
    CHECK(house.host("POST", "/v1/drain", off).status == 200);
    (void)house.run(small);
}

TEST_CASE("an idle instance gives up its user id where another function needs it") {
    NEEDS_RUNTIME_AGENT();
    if (::geteuid() != 0) {
        WARN("skipped: only as root do instances have user ids of their own");
        return;
    }
    House house;
    house.stop_host();
    house.config.uid_first = 1'700'000'000;  // far from those of other host agents here
    house.config.uid_count = 1;
    house.config.uid_claims_dir = house.folder / "claims";
    house.config.data_dir = house.folder / "other";
    house.start_host();
    const auto first = House::shell("first", "true");
    (void)house.run(first);
    (void)house.wait_for(first.key, wire::Rank::ended);
    const std::string go = house.folder / "go";
    auto second = House::shell("second", waits_for(go));
    second.function.version = Digest{"sha256:" + std::string(64, '2')};
    (void)house.run(second);
    // All ids are in use, and gateways are told how many there are.
    auto third = House::shell("third", "true");
    CHECK(house.host("POST", "/v1/instances:take", wire::to_json(third)).problem() ==
          "no-capacity");
    const wire::Json hosts = house.call(house.status.address(), "GET", "/v1/hosts").json();
    bool told = false;
    for (const wire::Json& host : *hosts["hosts"].as_array())
        told = told || *host["capacity"]["instances_max"].as_integer() == 1;
    CHECK(told);
    make_go(go);
    CHECK(house.wait_for(second.key, wire::Rank::ended).outcome == AttemptOutcome::succeeded);
}

boost::asio::awaitable<int> leaving(App& app, net::StopSignal& again, bool& over) {
    co_await app.leave(again);
    over = true;
    co_return 0;
}

wire::Json drain_order(std::int64_t by_ms) {
    wire::Json order = wire::Json::object();
    order.set("drain_by_ms", by_ms);
    order.set("reason", "a new disk");
    return order;
}

TEST_CASE("a drain names what it waits for, and is over when that is gone, also over a restart") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const std::string go = house.folder / "go";
    const auto request = House::shell("last", waits_for(go));
    (void)house.run(request);
    (void)house.wait_for(request.key, wire::Rank::running);
    CHECK(house.host("POST", "/v1/drain", drain_order(3'600'000)).status == 200);
    house.stop_host();
    house.start_host();
    CHECK(house.until([&] { return house.snapshot().complete; }));
    const wire::Json drain = house.host("GET", "/v1/drain").json();
    CHECK(*drain["draining"].as_bool());
    CHECK_FALSE(*drain["drained"].as_bool());
    CHECK(*drain["reason"].as_string() == "a new disk");
    CHECK(drain["drain_by"].as_string() != nullptr);
    REQUIRE(drain["blocking"].as_array()->size() == 1);
    const wire::Json& blocking = (*drain["blocking"].as_array())[0];
    CHECK(*blocking["invocation"].as_string() == "last");
    CHECK(*blocking["function"].as_string() == "shell");
    CHECK(*blocking["state"].as_string() == "running");
    make_go(go);
    (void)house.wait_for(request.key, wire::Rank::ended);
    // Its end is not the gateway's yet: until then the host is needed.
    CHECK_FALSE(*house.host("GET", "/v1/drain").json()["drained"].as_bool());
    const std::vector<wire::Ack> acks{{request.owner, request.key}};
    CHECK(house.host("POST", "/v1/ack:batch", wire::to_json(acks)).status == 200);
    CHECK(house.until([&] { return *house.host("GET", "/v1/drain").json()["drained"].as_bool(); }));
}

TEST_CASE("what still runs at the drain's limit is stopped, and lost to its host") {
    NEEDS_RUNTIME_AGENT();
    House house;
    const auto request = House::shell("late", "trap 'exit 0' TERM; while :; do sleep 0.02; done");
    (void)house.run(request);
    (void)house.wait_for(request.key, wire::Rank::running);
    CHECK(house.host("POST", "/v1/drain", drain_order(0)).status == 200);
    const wire::StatusEntry end = house.wait_for(request.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::lost);
    CHECK(end.reason == FailureReason::lost);
    CHECK(end.stop_cause == StopCause::none);
    CHECK(end.tree_gone);
    INFO(end.message);
    CHECK(end.message.find("drain of host " + house.app->host_id()) != std::string::npos);
    CHECK(end.message.find("a new disk") != std::string::npos);
    const Reply log = house.host("GET", path_of(request, "logs"));
    CHECK(log.body.find("stopping: SIGTERM: stopped by the drain") != std::string::npos);
}

TEST_CASE(
    "a host agent that is to drain before it stops waits for its runs, or for another signal") {
    NEEDS_RUNTIME_AGENT();
    House house;
    house.stop_host();
    house.config.drain_by = std::chrono::minutes(10);
    house.start_host();
    net::StopSignal signals(house.io.get_executor());
    for (const bool impatient : {false, true}) {
        const std::string go = house.folder / (impatient ? "go-2" : "go-1");
        const auto request = House::shell(impatient ? "r2" : "r1", waits_for(go));
        if (impatient) {
            house.stop_host();  // leaving is for one life
            house.start_host();
        }
        (void)house.run(request);
        (void)house.wait_for(request.key, wire::Rank::running);
        bool over = false;
        boost::asio::co_spawn(house.io, leaving(*house.app, signals, over),
                              [](std::exception_ptr, int) {});
        CHECK(house.until([&] {
            const auto other = House::shell("other", "true");
            return house.host("POST", "/v1/instances:take", wire::to_json(other)).problem() ==
                   "draining";
        }));
        CHECK_FALSE(over);
        if (impatient) {
            REQUIRE(::raise(SIGTERM) == 0);
        } else {
            make_go(go);
            (void)house.wait_for(request.key, wire::Rank::ended);
            const std::vector<wire::Ack> acks{{request.owner, request.key}};
            CHECK(house.host("POST", "/v1/ack:batch", wire::to_json(acks)).status == 200);
        }
        CHECK(house.until([&] { return over; }));
        if (impatient) make_go(go);
    }
}

TEST_CASE("the internal listener needs the cluster's secret, and names bad members") {
    NEEDS_RUNTIME_AGENT();
    House house;
    CHECK(
        house
            .call(house.app->address(), "GET", "/v1/state", "", {{"Authorization", "Bearer wrong"}})
            .status == 401);
    CHECK(house.call(house.app->address(), "POST", "/v1/instances:take", "{\"proto\":1}").status ==
          400);
    CHECK(house.host("GET", "/v1/invocations/nobody/attempts/1/logs").problem() ==
          "logs-unavailable");
    CHECK(house.host("GET", "/v1/invocations/nobody/attempts/0/result").status == 400);
    CHECK(house.call(house.app->admin_address(), "GET", "/metrics")
              .body.find("longhaul_host_takes_total") != std::string::npos);
    CHECK(house.call(house.app->admin_address(), "GET", "/readyz").status == 200);
}

}  // namespace
}  // namespace longhaul::host_agent
