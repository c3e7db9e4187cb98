// Takes that are disturbed on their way: by a kill, by a drain, by something that throws.
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/flows.hpp"

namespace longhaul::host_agent {
namespace {

TEST_CASE("a take that is killed before its process was spawned is answered as fenced") {
    Flows flows;
    Taking taking(flows, Flows::request("a"));
    CHECK(flows.kill("a").outcome == wire::KillOutcome::fenced);
    CHECK(flows.takes.counters().started == 1);
    REQUIRE(flows.until([&] { return taking.ended(); }));
    CHECK(taking.problem() == "fenced");
    CHECK(flows.keeper.counters().spawned == 0);
    CHECK(flows.ledger.core().instances().empty());
    CHECK(flows.ledger.core().run(Flows::key("a")) == nullptr);
}

TEST_CASE("a take that is killed between its instance and its assignment leaves that idle") {
    Flows flows;
    const InstanceId idle = flows.idle_instance("earlier");
    Taking taking(flows, Flows::request("a"));
    CHECK(flows.kill("a").outcome == wire::KillOutcome::fenced);
    CHECK(flows.takes.counters().reused == 1);
    REQUIRE(flows.until([&] { return taking.ended(); }));
    CHECK(taking.problem() == "fenced");
    CHECK(flows.agent.assigned.empty());
    CHECK(flows.ledger.core().instance(idle)->state == InstanceState::idle);
    Taking next(flows, Flows::request("b"));
    REQUIRE(flows.until([&] { return next.ended(); }));
    CHECK(next.taken() == idle);
}

TEST_CASE("a take whose instance dies before its assignment is tried on another one") {
    Flows flows;
    const InstanceId idle = flows.idle_instance("earlier");
    const InstanceId other = flows.idle_instance("later");
    Taking taking(flows, Flows::request("a"));
    REQUIRE(flows.until([&] { return flows.takes.counters().reused == 1; }));
    const InstanceId chosen = flows.ledger.core().run(Flows::key("a"))->instance;
    flows.status.instance_dead(chosen);
    REQUIRE(flows.until([&] { return taking.ended(); }));
    CHECK(taking.taken() == (chosen == idle ? other : idle));
}

TEST_CASE("a take that a drain gives up before its process was spawned says that it drains") {
    Flows flows;
    Taking taking(flows, Flows::request("a"));
    flows.drain_at_once();
    REQUIRE(flows.until([&] { return taking.ended(); }));
    CHECK(flows.takes.counters().started == 1);
    CHECK(taking.problem() == "draining");
    CHECK(flows.keeper.counters().spawned == 0);
    CHECK(flows.ledger.core().drained());
}

TEST_CASE("a take in which something throws ends, and another one of it may begin") {
    Flows flows;
    (void)flows.idle_instance("earlier");
    flows.agent.throws = true;
    // Too large for an instance of its own.
    Taking taking(flows, Flows::request("a", 1'000'000));
    Taking repeated(flows, Flows::request("a", 1'000'000));
    REQUIRE(flows.until([&] { return taking.ended() && repeated.ended(); }));
    CHECK(taking.problem() == "no-capacity");
    CHECK(repeated.problem() == "no-capacity");
    CHECK(flows.ledger.core().run(Flows::key("a")) == nullptr);
    flows.agent.throws = false;
    const InstanceId idle = flows.idle_instance("later");
    Taking again(flows, Flows::request("a"));
    REQUIRE(flows.until([&] { return again.ended(); }));
    CHECK(again.taken() == idle);
}

TEST_CASE("whoever waits for a take is told when the host agent stops") {
    Flows flows;
    (void)flows.idle_instance("earlier");
    flows.agent.is_silent = true;
    Taking taking(flows, Flows::request("a"));
    REQUIRE(flows.until([&] { return flows.agent.asked > 0; }));
    flows.stop_takes();
    REQUIRE(flows.until([&] { return taking.ended(); }));
    CHECK(taking.problem() == "stopping");
    Taking repeated(flows, Flows::request("a"));
    REQUIRE(flows.until([&] { return repeated.ended(); }));
    CHECK(repeated.problem() == "stopping");
}

}  // namespace
}  // namespace longhaul::host_agent
