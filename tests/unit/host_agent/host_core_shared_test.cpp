// HostCore: instances that serve several runs at once. Guards I3, I7, I10.
#include "host_agent/core/host_core.hpp"
#include "tests/support/catch.hpp"

#include <string>

namespace longhaul::host_agent {
namespace {

RunKey key(const std::string& id, AttemptNumber attempt = 1) { return {InvocationId{id}, attempt}; }

LoadedCode code(const std::string& version = "v1") {
    return {TenantName{"default"}, FunctionName{"f"}, Digest{version}, Digest{},
            std::chrono::minutes(5)};
}

// A host with room for two instances, and a function that takes three runs at once.
struct World {
    World() { core.begin_epoch(now, records); }

    static CoreLimits limits() {
        return {.instances_max = 2,
                .memory_mb = 1024,
                .runs_max = 100,
                .fences_max = 10,
                .take_lease = std::chrono::seconds(30),
                .instance_lease = std::chrono::seconds(10),
                .fence_retention = std::chrono::hours(1)};
    }

    TakeDecision take(const RunKey& run, const std::string& version = "v1") {
        TakeInput input;
        input.owner = {0, 1};
        input.key = run;
        input.token = Token{"t"};
        input.code = code(version);
        input.memory_mb = 512;
        input.places = 3;
        input.fresh = InstanceId{"i" + std::to_string(++fresh)};
        const TakeDecision decision = core.take(now, input, records);
        core.check_invariants();
        return decision;
    }
    void load(const InstanceId& id) {
        core.made(id, {{100, 1}, 0, "unix:/x", "secret"}, records);
        core.loaded(id, code(), records);
    }
    InstanceId serve(const RunKey& run) {
        const TakeDecision decision = take(run);
        if (decision.verdict == TakeVerdict::start) load(decision.instance);
        REQUIRE(core.assigned(now, run, "run-token", "127.0.0.1:1", records));
        core.check_invariants();
        return decision.instance;
    }
    void end(const RunKey& run, bool usable = true) {
        REQUIRE(core.ended(now, run, {kRankEnded, 9}, "{}", usable, records));
        core.check_invariants();
    }

    HostCore core{limits()};
    Records records;
    TimePoint now{std::chrono::hours(1000)};
    int fresh = 0;
};

TEST_CASE("runs share an instance until its places are taken, then another is started") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.serve(key("b")) == first);
    CHECK(world.serve(key("c")) == first);
    const InstanceId second = world.serve(key("d"));
    CHECK(second != first);
    CHECK(world.core.instances().size() == 2);
    CHECK(world.core.memory_busy_mb() == 1024);
    world.end(key("b"));
    CHECK(world.serve(key("e")) == first);  // where most are
}

TEST_CASE("takes join an instance that is still being loaded") {
    World world;
    const TakeDecision first = world.take(key("a"));
    CHECK(first.verdict == TakeVerdict::start);
    const TakeDecision second = world.take(key("b"));
    CHECK(second.verdict == TakeVerdict::reuse);
    CHECK(second.instance == first.instance);
    CHECK(world.take(key("c"), "v2").verdict == TakeVerdict::start);
    world.load(first.instance);
    REQUIRE(world.core.assigned(world.now, key("b"), "run", "127.0.0.1:1", world.records));
    REQUIRE(world.core.assigned(world.now, key("a"), "run", "127.0.0.1:1", world.records));
    world.core.check_invariants();
}

TEST_CASE("a load that fails leaves its instance to nobody") {
    World world;
    const TakeDecision first = world.take(key("a"));
    CHECK(world.take(key("b")).instance == first.instance);
    world.core.abandon(world.now, key("a"), true);
    CHECK(world.take(key("c")).instance != first.instance);
    CHECK(world.core.retire(world.now).empty());
    world.core.abandon(world.now, key("b"), true);
    CHECK(world.core.retire(world.now) == std::vector{first.instance});
}

TEST_CASE("two attempts of an invocation are never in one instance") {
    World world;
    const InstanceId first = world.serve(key("a"));
    (void)world.core.kill(world.now, {0, 1}, key("a"), true, {}, world.records);
    CHECK(world.serve(key("a", 2)) != first);
}

TEST_CASE("a worn instance keeps its runs, takes no other, and is given up after them") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.serve(key("b")) == first);
    SECTION("its runtime agent says so") { world.core.broken(first, world.records); }
    SECTION("a run in it has worn it") {
        CHECK(world.serve(key("c")) == first);
        world.end(key("c"), false);
    }
    CHECK(world.take(key("d")).instance != first);
    world.end(key("a"));
    CHECK(world.core.retire(world.now).empty());
    world.end(key("b"));
    CHECK(world.core.retire(world.now) == std::vector{first});
}

TEST_CASE("a shared instance is idle after the last of its runs, and never leased") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.serve(key("b")) == first);
    CHECK_FALSE(world.core.lessee(key("a")));
    world.end(key("a"));
    CHECK(world.core.instance(first)->state == InstanceState::taken);
    world.end(key("b"));
    CHECK(world.core.instance(first)->state == InstanceState::idle);
    CHECK_FALSE(world.core.lessee(key("b")));
    CHECK(world.serve(key("c")) == first);
}

TEST_CASE("a dead instance takes all its runs along") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.serve(key("b")) == first);
    CHECK(world.core.dead(first, world.records) == std::set{key("a"), key("b")});
}

TEST_CASE("a shared instance is known again after a restart, with its runs and places") {
    World world;
    const InstanceId first = world.serve(key("a"));
    CHECK(world.serve(key("b")) == first);
    CHECK(world.serve(key("c")) == first);
    world.end(key("c"));
    for (const Records& records : {world.records, world.core.snapshot()}) {
        HostCore again(World::limits());
        for (const Record& record : records) again.apply(record);
        Records out;
        again.begin_epoch(world.now, out);
        again.found(first);
        again.check_invariants();
        CHECK(again.instance(first)->runs == std::set{key("a"), key("b")});
        CHECK(again.instance(first)->places == 3);
        CHECK(again.instance(first)->state == InstanceState::taken);
    }
}

TEST_CASE("a worn instance is worn after a restart too") {
    World world;
    const InstanceId first = world.serve(key("a"));
    world.core.broken(first, world.records);
    HostCore again(World::limits());
    for (const Record& record : world.core.snapshot()) again.apply(record);
    Records out;
    again.begin_epoch(world.now, out);
    again.found(first);
    again.check_invariants();
    CHECK(again.instance(first)->state == InstanceState::taken);
    REQUIRE(again.ended(world.now, key("a"), {kRankEnded, 9}, "{}", true, out));
    CHECK(again.retire(world.now) == std::vector{first});
}

}  // namespace
}  // namespace longhaul::host_agent
