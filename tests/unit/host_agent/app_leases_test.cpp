// Leases with real runtime agents: LONGHAUL_RUNTIME_AGENT names the program.
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/house.hpp"

#include <signal.h>

#include <fstream>

namespace longhaul::host_agent {
namespace {

#define NEEDS_RUNTIME_AGENT()                                                    \
    if (runtime_agent_path().empty()) {                                          \
        WARN("skipped: LONGHAUL_RUNTIME_AGENT does not name runtime_agent_ext"); \
        return;                                                                  \
    }

// A house with one instance, idle and leased; its function waits where the event says so.
struct LeasedHouse : House {
    LeasedHouse() {
        const auto first = request("first");
        const auto taken = run(first);
        instance = taken.instance;
        const wire::StatusEntry end = wait_for(first.key, wire::Rank::ended);
        REQUIRE(end.lease);
        lease.instance = instance;
        lease.address = end.lease->address;
        lease.run_token = end.lease->run_token;
    }

    wire::TakeRequest request(const std::string& id) const {
        return shell(id, "read x; [ \"$x\" != wait ] || while [ ! -e " + go +
                             " ]; do sleep 0.02; done; echo done");
    }
    // The same, of an attempt that was sent under the lease.
    wire::TakeRequest sent(const std::string& id) const {
        auto asked = request(id);
        asked.instance = instance;
        return asked;
    }
    std::vector<wire::KillAnswer> kill_sent(const std::string& id, wire::KillMode mode) {
        const auto asked = sent(id);
        wire::KillOrder order;
        order.owner = asked.owner;
        order.key = asked.key;
        order.token = asked.token;
        order.mode = mode;
        order.grace_ms = 100;
        order.instance = instance;
        return kill(order);
    }
    void let_go() const { std::ofstream(go) << "x"; }

    std::string go = folder / "go";
    InstanceId instance;
    wire::TakeAnswer lease;
};

TEST_CASE("a run starts under a lease without a take, is reported, and brings the next lease") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    const auto second = house.request("second");
    CHECK(house.start(house.lease, second, "now").status == 202);
    const wire::StatusEntry end = house.wait_for(second.key, wire::Rank::ended);
    CHECK(end.outcome == AttemptOutcome::succeeded);
    CHECK(end.instance == house.instance);
    REQUIRE(end.lease);
    CHECK(end.lease->run_token != house.lease.run_token);
    CHECK(house.start(house.lease, house.request("third"), "now").status == 401);
}

TEST_CASE("a take of what runs under a lease is answered with that run") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    const auto second = house.sent("second");
    REQUIRE(house.start(house.lease, second, "wait").status == 202);
    const Reply reply = house.host("POST", "/v1/instances:take", wire::to_json(second));
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    const auto taken = wire::decode<wire::TakeAnswer>(reply.body);
    CHECK(taken->instance == house.instance);
    CHECK(taken->run_token == house.lease.run_token);
    CHECK(house.start(*taken, second, "wait").status == 200);  // the run that exists
    house.let_go();
    CHECK(house.wait_for(second.key, wire::Rank::ended).outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a take of what was sent under a lease and never came makes sure that it never does") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    const auto taken = house.run(house.sent("second"), "now");
    CHECK(taken.instance == house.instance);  // asked back, and used
    CHECK(house.start(house.lease, house.request("second"), "now").status == 401);
}

TEST_CASE("a kill reaches what runs under a lease, and what never came is fenced there") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    SECTION("it runs") {
        REQUIRE(house.start(house.lease, house.request("second"), "wait").status == 202);
        CHECK(house.kill_sent("second", wire::KillMode::kill)[0].outcome ==
              wire::KillOutcome::stopping);
        const auto end = house.wait_for(house.request("second").key, wire::Rank::ended);
        CHECK(end.outcome == AttemptOutcome::killed);
        CHECK(end.tree_gone);
    }
    SECTION("it never came") {
        CHECK(house.kill_sent("second", wire::KillMode::cancel)[0].outcome ==
              wire::KillOutcome::fenced);
        CHECK(house.start(house.lease, house.request("second"), "now").status == 409);
        CHECK(house.start(house.lease, house.request("third"), "now").status == 202);
    }
}

TEST_CASE("what starts under a lease while no host agent is there is found by the next") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    const auto second = house.request("second");
    house.stop_host();
    REQUIRE(house.start(house.lease, second, "wait").status == 202);
    house.start_host();
    CHECK(house.wait_for(second.key, wire::Rank::running).instance == house.instance);
    house.let_go();
    CHECK(house.wait_for(second.key, wire::Rank::ended).outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a silent runtime agent leaves no false answer about what was sent under its lease") {
    NEEDS_RUNTIME_AGENT();
    LeasedHouse house;
    const wire::Json state = house.host("GET", "/v1/state").json();
    const auto pid = static_cast<pid_t>(*(*state["instances"].as_array())[0]["pid"].as_integer());
    house.config.control_timeout = std::chrono::milliseconds(200);
    house.stop_host();
    house.start_host();
    REQUIRE(house.until([&] { return house.snapshot().complete; }));
    REQUIRE(::kill(pid, SIGSTOP) == 0);
    const auto second = house.sent("second");
    const Reply take = house.host("POST", "/v1/instances:take", wire::to_json(second));
    CHECK(take.status == 503);
    CHECK(take.problem() == "instance-silent");
    wire::StatusQuery query;
    query.keys = {second.key};
    query.instances = {house.instance};
    const auto answer = wire::decode<wire::StatusAnswer>(
        house.host("POST", "/v1/status:batch", wire::to_json(query)).body);
    CHECK(answer->unheard == query.keys);
    CHECK(answer->unknown.empty());
    // Gone with its lease open: nobody can say that it never ran.
    REQUIRE(::kill(pid, SIGKILL) == 0);
    REQUIRE(house.until([&] {
        return house.host("POST", "/v1/instances:take", wire::to_json(second)).problem() ==
               "already-ended";
    }));
    CHECK(house.wait_for(second.key, wire::Rank::ended).outcome == AttemptOutcome::lost);
}

}  // namespace
}  // namespace longhaul::host_agent
