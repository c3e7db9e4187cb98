#include "host_agent/core/host_core.hpp"

#include "tests/support/catch.hpp"

#include <string>

namespace longhaul::host_agent {
namespace {

constexpr Duration kLease = std::chrono::seconds(30);
constexpr Duration kKeepAlive = std::chrono::minutes(5);

RunKey key(const std::string& id, AttemptNumber attempt = 1) { return {InvocationId{id}, attempt}; }

// A small language over one core: every step checks the invariants.
struct World {
    World() { core.begin_epoch(now, records); }

    static CoreLimits limits() {
        return {.instances_max = 3,
                .memory_mb = 2048,
                .runs_max = 100,
                .fences_max = 10,
                .take_lease = kLease,
                .fence_retention = std::chrono::hours(1)};
    }

    TakeDecision take(const RunKey& run, const std::string& function = "f",
                      const std::string& token = "t", OwnerTerm term = 1,
                      std::uint32_t memory_mb = 512) {
        TakeInput input;
        input.owner = {0, term};
        input.key = run;
        input.token = Token{token};
        input.code = code(function);
        input.memory_mb = memory_mb;
        input.fresh = InstanceId{"i" + std::to_string(++fresh)};
        const TakeDecision decision = core.take(now, input, records);
        core.check_invariants();
        return decision;
    }

    static LoadedCode code(const std::string& function) {
        return {TenantName{"default"}, FunctionName{function}, Digest{"v1"}, Digest{}, kKeepAlive};
    }

    // A take to its end: the instance that serves the run.
    InstanceId serve(const RunKey& run, const std::string& function = "f") {
        const TakeDecision decision = take(run, function);
        if (decision.verdict == TakeVerdict::start) {
            core.made(decision.instance, {{100, 1}, 0, "unix:/x", "secret"}, records);
            core.loaded(decision.instance, code(function), records);
        }
        REQUIRE(core.assigned(now, run, "run-token", "127.0.0.1:1", records));
        for (const InstanceId& id : decision.evict) (void)core.dead(id, records);
        core.check_invariants();
        return decision.instance;
    }

    bool end(const RunKey& run, bool usable = true) {
        const bool first = core.ended(now, run, {kRankEnded, 9}, "{}", usable, records);
        core.check_invariants();
        return first;
    }

    HostCore core{limits()};
    Records records;
    TimePoint now{std::chrono::hours(1000)};
    int fresh = 0;
};

TEST_CASE("a take starts an instance where none is loaded, and reuses it afterwards") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.end(key("a")));
    const TakeDecision second = world.take(key("b"));
    CHECK(second.verdict == TakeVerdict::reuse);
    CHECK(second.instance == first);
}

TEST_CASE("another function, version or tenant never gets a loaded instance") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.end(key("a")));
    const TakeDecision other = world.take(key("b"), "g");
    CHECK(other.verdict == TakeVerdict::start);
    CHECK(other.instance != first);
    CHECK(other.evict.empty());
}

TEST_CASE("the same take again is the same instance, another token is a mismatch") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    CHECK(world.take(key("a")).verdict == TakeVerdict::answered);
    CHECK(world.take(key("a")).instance == instance);
    CHECK(world.take(key("a"), "f", "other").verdict == TakeVerdict::mismatch);
}

TEST_CASE("a take under way is joined, not begun again") {
    World world;
    CHECK(world.take(key("a")).verdict == TakeVerdict::start);
    CHECK(world.take(key("a")).verdict == TakeVerdict::in_progress);
    CHECK(world.core.instances().size() == 1);
}

TEST_CASE("the least recently used idle instance makes room, a busy one never does") {
    World world;
    const InstanceId first = world.serve(key("a"), "fa");
    world.now += std::chrono::seconds(1);
    const InstanceId second = world.serve(key("b"), "fb");
    const InstanceId third = world.serve(key("c"), "fc");
    CHECK(world.take(key("d"), "fd").verdict == TakeVerdict::no_capacity);
    CHECK(world.end(key("b")));
    world.now += std::chrono::seconds(1);
    CHECK(world.end(key("a")));
    const TakeDecision decision = world.take(key("d"), "fd");
    CHECK(decision.verdict == TakeVerdict::start);
    REQUIRE(decision.evict.size() == 1);
    CHECK(decision.evict[0] == second);
}

TEST_CASE("the machine may have room for fewer instances than the limit") {
    World world;
    world.core.bound_instances(2);
    world.core.bound_instances(9);
    CHECK(world.core.limits().instances_max == 2);
    const InstanceId first = world.serve(key("a"), "fa");
    (void)world.serve(key("b"), "fb");
    CHECK(world.take(key("c"), "fc").verdict == TakeVerdict::no_capacity);
    CHECK(world.end(key("a")));
    const TakeDecision decision = world.take(key("c"), "fc");
    CHECK(decision.verdict == TakeVerdict::start);
    CHECK(decision.evict == std::vector<InstanceId>{first});
}

TEST_CASE("memory bounds the instances too") {
    World world;
    CHECK(world.take(key("a"), "f", "t", 1, 2000).verdict == TakeVerdict::start);
    CHECK(world.take(key("b"), "g", "t", 1, 100).verdict == TakeVerdict::no_capacity);
    CHECK(world.take(key("b"), "g", "t", 1, 48).verdict == TakeVerdict::start);
}

TEST_CASE("a lower owner term is stale, a higher one is recorded before it is obeyed") {
    World world;
    CHECK(world.take(key("a"), "f", "t", 5).verdict == TakeVerdict::start);
    const std::size_t before = world.records.size();
    CHECK(world.take(key("b"), "f", "t", 4).verdict == TakeVerdict::stale);
    CHECK(world.records.size() == before);
    CHECK(world.take(key("b"), "g", "t", 6).verdict == TakeVerdict::start);
    CHECK(std::holds_alternative<TermSeen>(world.records.back()));
    const KillDecision kill =
        world.core.kill(world.now, {0, 5}, key("a"), false, {}, world.records);
    CHECK(kill.verdict == KillVerdict::stale);
}

TEST_CASE("a kill of an unknown attempt is a fence: a take of it is refused afterwards") {
    World world;
    const KillDecision kill =
        world.core.kill(world.now, {0, 1}, key("a"), false, {}, world.records);
    CHECK(kill.verdict == KillVerdict::fenced);
    CHECK(std::holds_alternative<Fenced>(world.records.back()));
    CHECK(world.take(key("a")).verdict == TakeVerdict::fenced);
    CHECK(world.take(key("a", 2)).verdict == TakeVerdict::start);
}

TEST_CASE("a take that is fenced while it is under way is not answered") {
    World world;
    const TakeDecision decision = world.take(key("a"));
    CHECK(world.core.kill(world.now, {0, 1}, key("a"), true, {}, world.records).verdict ==
          KillVerdict::fenced);
    world.core.made(decision.instance, {{100, 1}, 0, "unix:/x", "s"}, world.records);
    world.core.loaded(decision.instance, World::code("f"), world.records);
    CHECK_FALSE(world.core.assigned(world.now, key("a"), "rt", "addr", world.records));
    world.core.check_invariants();
    CHECK(world.core.instance(decision.instance)->state == InstanceState::idle);
}

TEST_CASE("an earlier attempt is not taken once a later one is known") {
    World world;
    (void)world.serve(key("a", 2));
    CHECK(world.take(key("a", 1)).verdict == TakeVerdict::fenced);
}

TEST_CASE("news is accepted only with a greater rank and version, and numbered") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    HostCore& core = world.core;
    CHECK(core.observe(key("a"), instance, {kRankRunning, 2}));
    const std::uint64_t seq = core.run(key("a"))->seq;
    CHECK_FALSE(core.observe(key("a"), instance, {kRankRunning, 2}));
    CHECK_FALSE(core.observe(key("a"), instance, {2, 7}));
    CHECK_FALSE(core.observe(key("a"), InstanceId{"other"}, {kRankRunning, 9}));
    CHECK(core.observe(key("a"), instance, {kRankRunning, 3}));
    CHECK(core.run(key("a"))->seq > seq);
    CHECK(core.changes_after(seq, 10).size() == 1);
    CHECK(core.changes_after(core.last_seq(), 10).empty());
}

TEST_CASE("a step of a run is urgent, progress and usage are not") {
    World world;
    HostCore& core = world.core;
    const InstanceId instance = world.serve(key("a"));
    REQUIRE(core.observe(key("a"), instance, {kRankRunning, 2}));
    CHECK(core.is_urgent_after(core.last_seq() - 1));
    REQUIRE(core.observe(key("a"), instance, {kRankRunning, 3}));
    CHECK_FALSE(core.is_urgent_after(core.last_seq() - 1));
    REQUIRE(core.observe(key("a"), instance, {kRankRunning + 1, 4}));
    CHECK(core.is_urgent_after(core.last_seq() - 1));
    REQUIRE(world.end(key("a")));
    CHECK(core.is_urgent_after(core.last_seq() - 1));
    CHECK_FALSE(core.is_urgent_after(core.last_seq()));
}

TEST_CASE("an epoch that rises makes every run news again, and is recorded") {
    World world;
    (void)world.serve(key("a"));
    REQUIRE(world.end(key("a")));
    const std::uint64_t seen = world.core.last_seq();
    const Epoch floor = world.core.epoch() + 5;
    world.core.raise_epoch(floor, world.records);
    CHECK(world.core.epoch() == floor + 1);
    CHECK(world.core.changes_after(seen, 10).size() == 1);
    const auto* begun = std::get_if<EpochBegun>(&world.records.back());
    REQUIRE(begun != nullptr);
    CHECK(begun->epoch == floor + 1);
    world.core.check_invariants();
}

TEST_CASE("the digest counts what was answered, as it stands, until it is acknowledged") {
    World world;
    CHECK(world.core.digest() == AttemptDigest{});
    (void)world.take(key("a"));
    CHECK(world.core.digest() == AttemptDigest{});
    const InstanceId instance = world.serve(key("b"), "g");
    AttemptDigest expected;
    expected.add(InvocationId{"b"}, 1, kRankDispatched);
    CHECK(world.core.digest() == expected);
    REQUIRE(world.core.observe(key("b"), instance, {kRankRunning, 2}));
    CHECK(world.core.digest() != expected);
    REQUIRE(world.end(key("b")));
    expected = {};
    expected.add(InvocationId{"b"}, 1, kRankEnded);
    CHECK(world.core.digest() == expected);
    REQUIRE(world.core.ack(world.now, key("b"), world.records));
    CHECK(world.core.digest() == AttemptDigest{});
}

TEST_CASE("the first end stands until it is acknowledged, then a take of it is fenced") {
    World world;
    (void)world.serve(key("a"));
    CHECK(world.end(key("a")));
    CHECK_FALSE(world.end(key("a")));
    CHECK(world.take(key("a")).verdict == TakeVerdict::ended);
    CHECK(world.core.kill(world.now, {0, 1}, key("a"), false, {}, world.records).verdict ==
          KillVerdict::ended);
    CHECK(world.core.ack(world.now, key("a"), world.records));
    CHECK_FALSE(world.core.ack(world.now, key("a"), world.records));
    CHECK(world.core.run(key("a")) == nullptr);
    CHECK(world.take(key("a")).verdict == TakeVerdict::fenced);
}

TEST_CASE("after a stop the instance is worn out, and retired") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    CHECK(world.end(key("a"), false));
    CHECK(world.core.instance(instance)->state == InstanceState::broken);
    CHECK(world.core.retire(world.now) == std::vector<InstanceId>{instance});
    CHECK(world.core.retire(world.now).empty());
}

TEST_CASE("an idle instance is retired after its keep-alive") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    CHECK(world.end(key("a")));
    world.now += kKeepAlive - std::chrono::seconds(1);
    CHECK(world.core.retire(world.now).empty());
    CHECK(world.core.next_deadline() <= world.now + std::chrono::seconds(1));
    world.now += std::chrono::seconds(1);
    CHECK(world.core.retire(world.now) == std::vector<InstanceId>{instance});
}

TEST_CASE("a take without a start lapses after its lease, and only once") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    CHECK(world.core.lapsed(world.now).empty());
    world.now += kLease;
    CHECK(world.core.lapsed(world.now) == std::vector<RunKey>{key("a")});
    CHECK(world.core.lapsed(world.now).empty());
    world.core.lapse(world.now, key("a"), world.records);
    world.core.check_invariants();
    CHECK(world.core.instance(instance)->state == InstanceState::idle);
    CHECK(world.take(key("a")).verdict == TakeVerdict::fenced);
}

TEST_CASE("a death names the run that it takes along") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    CHECK(world.core.dead(instance, world.records) == std::set{key("a")});
    CHECK(world.end(key("a"), false));
    CHECK(world.core.instance(instance) == nullptr);
}

TEST_CASE("replayed records give the state that was lived") {
    World world;
    const InstanceId stopped = world.serve(key("a"), "fa");
    const InstanceId busy = world.serve(key("b"), "fb");
    CHECK(world.end(key("a"), false));
    (void)world.core.kill(world.now, {0, 7}, key("z"), true, {}, world.records);

    for (const bool from_snapshot : {false, true}) {
        HostCore again(World::limits());
        for (const Record& record : from_snapshot ? world.core.snapshot() : world.records)
            again.apply(record);
        Records out;
        again.begin_epoch(world.now, out);
        again.check_invariants();
        CHECK(again.epoch() > world.core.epoch());
        CHECK_FALSE(again.complete());
        CHECK(again.run(key("a"))->state == RunState::ended);
        CHECK(again.run(key("b"))->state == RunState::assigned);
        CHECK(again.run(key("b"))->run_token == "run-token");
        CHECK(again.is_fenced(key("z")));
        CHECK_FALSE(again.obey({0, 6}, out));
        again.found(busy);
        again.found(stopped);
        CHECK(again.complete());
        CHECK(again.instance(busy)->state == InstanceState::taken);
        // What was stopped is not used again, in no life.
        CHECK(again.instance(stopped)->state == InstanceState::broken);
    }
}

TEST_CASE("a snapshot keeps the run of an instance that served another before") {
    World world;
    const InstanceId instance = world.serve(key("b"));
    CHECK(world.end(key("b")));
    CHECK(world.serve(key("a")) == instance);
    HostCore again(World::limits());
    for (const Record& record : world.core.snapshot()) again.apply(record);
    CHECK(again.instance(instance)->runs == std::set{key("a")});
}

TEST_CASE("fences are bounded: the oldest goes first") {
    World world;
    for (int i = 0; i < 12; ++i)
        (void)world.core.kill(world.now, {0, 1}, key("k" + std::to_string(i)), true, {},
                              world.records);
    world.core.check_invariants();
    CHECK_FALSE(world.core.is_fenced(key("k0")));
    CHECK(world.core.is_fenced(key("k11")));
}

TEST_CASE("a draining host takes nothing new, but answers for what it has") {
    World world;
    (void)world.serve(key("a"));
    world.core.begin_drain({.since = world.now}, world.records);
    CHECK(world.take(key("b")).verdict == TakeVerdict::draining);
    CHECK(world.take(key("a")).verdict == TakeVerdict::answered);
    world.core.end_drain(world.records);
    CHECK(world.core.drain() == nullptr);
    CHECK(world.take(key("b")).verdict == TakeVerdict::start);
}

TEST_CASE("a draining host gives up idle instances at once, a busy one after its run") {
    World world;
    const InstanceId idle = world.serve(key("a"));
    (void)world.end(key("a"));
    const InstanceId busy = world.serve(key("b"), "g");
    world.core.begin_drain({.since = world.now}, world.records);
    CHECK(world.core.retire(world.now) == std::vector{idle});
    (void)world.end(key("b"));
    CHECK(world.core.retire(world.now) == std::vector{busy});
}

TEST_CASE(
    "a host is drained when nothing runs, nothing is unacknowledged and no instance is left") {
    World world;
    const InstanceId instance = world.serve(key("a"));
    world.core.begin_drain({.since = world.now}, world.records);
    CHECK(world.core.blocking() == std::vector{key("a")});
    (void)world.end(key("a"));
    CHECK(world.core.blocking() == std::vector{key("a")});
    CHECK(world.core.ack(world.now, key("a"), world.records));
    CHECK(world.core.blocking().empty());
    CHECK_FALSE(world.core.drained());
    (void)world.core.retire(world.now);
    (void)world.core.dead(instance, world.records);
    CHECK(world.core.drained());
}

TEST_CASE("a drain with a limit names what still runs then, each run once") {
    World world;
    (void)world.serve(key("a"));
    (void)world.serve(key("b"), "g");
    (void)world.end(key("b"));
    world.core.begin_drain({world.now + std::chrono::minutes(1), "", world.now}, world.records);
    CHECK(world.core.drain_due(world.now).empty());
    world.now += std::chrono::minutes(1);
    CHECK(world.core.drain_due(world.now) == std::vector{key("a")});
    CHECK(world.core.drain_due(world.now).empty());
}

TEST_CASE("a take that is under way when the drain's time is over is named until it is assigned") {
    World world;
    const TakeDecision taking = world.take(key("a"));
    world.core.begin_drain({world.now, "", world.now}, world.records);
    CHECK(world.core.drain_due(world.now) == std::vector{key("a")});
    CHECK(world.core.drain_due(world.now) == std::vector{key("a")});
    world.core.made(taking.instance, {{100, 1}, 0, "unix:/x", "secret"}, world.records);
    world.core.loaded(taking.instance, World::code("f"), world.records);
    REQUIRE(world.core.assigned(world.now, key("a"), "run", "127.0.0.1:1", world.records));
    CHECK(world.core.drain_due(world.now) == std::vector{key("a")});
    CHECK(world.core.drain_due(world.now).empty());
}

TEST_CASE("a drain outlives the host agent, by its records and by a snapshot") {
    World world;
    const DrainOrder order{world.now + std::chrono::minutes(1), "a new disk", world.now};
    world.core.begin_drain(order, world.records);
    for (const Records& records : {world.records, world.core.snapshot()}) {
        HostCore next(World::limits());
        for (const Record& record : records) next.apply(record);
        REQUIRE(next.drain() != nullptr);
        CHECK(*next.drain() == order);
    }
    world.core.end_drain(world.records);
    HostCore next(World::limits());
    for (const Record& record : world.records) next.apply(record);
    CHECK(next.drain() == nullptr);
}

TEST_CASE("a host agent that leaves drains for the rest of its life only") {
    World world;
    world.core.leave({world.now + std::chrono::minutes(1), "stop", world.now});
    REQUIRE(world.core.drain() != nullptr);
    CHECK(world.take(key("a")).verdict == TakeVerdict::draining);
    // The earlier of two limits counts.
    world.core.begin_drain({.reason = "disk", .since = world.now}, world.records);
    CHECK(world.core.drain()->reason == "stop");
    HostCore next(World::limits());
    for (const Record& record : world.core.snapshot()) next.apply(record);
    REQUIRE(next.drain() != nullptr);
    CHECK(next.drain()->reason == "disk");
}

}  // namespace
}  // namespace longhaul::host_agent
