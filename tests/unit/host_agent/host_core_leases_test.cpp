// Guards I3 across a lease: an instance that is leased serves nobody else before its runtime agent
// was asked, and what ran under the lease is a run.
#include "host_agent/core/host_core.hpp"
#include "tests/support/catch.hpp"

#include <string>

namespace longhaul::host_agent {
namespace {

using std::chrono::seconds;

RunKey key(const std::string& id, AttemptNumber attempt = 1) { return {InvocationId{id}, attempt}; }

LoadedCode code(const std::string& function, Duration keep_alive = std::chrono::minutes(5)) {
    return {TenantName{"default"}, FunctionName{function}, Digest{"v1"}, Digest{}, keep_alive};
}

// A small language over one core: every step checks the invariants, and that the journal says the
// same.
struct World {
    explicit World(std::uint32_t instances_max = 2) : limits(limits_of(instances_max)) {
        core.begin_epoch(now, records);
    }

    static CoreLimits limits_of(std::uint32_t instances_max) {
        return {.instances_max = instances_max,
                .memory_mb = 8192,
                .runs_max = 100,
                .fences_max = 10,
                .take_lease = seconds(30),
                .instance_lease = seconds(10),
                .fence_retention = std::chrono::hours(1)};
    }

    TakeDecision take(const RunKey& run, const std::string& function = "f", Shard shard = 0,
                      OwnerTerm term = 1) {
        TakeInput input;
        input.owner = {shard, term};
        input.key = run;
        input.token = Token{"t"};
        input.code = code(function, keep_alive);
        input.memory_mb = 512;
        input.fresh = InstanceId{"i" + std::to_string(++fresh)};
        const TakeDecision decision = core.take(now, input, records);
        core.check_invariants();
        return decision;
    }

    InstanceId serve(const RunKey& run, const std::string& function = "f", Shard shard = 0) {
        const TakeDecision decision = take(run, function, shard);
        if (decision.verdict == TakeVerdict::start) {
            core.made(decision.instance, {{100, 1}, 0, "unix:/x", "secret"}, records);
            core.loaded(decision.instance, code(function, keep_alive), records);
        }
        REQUIRE(core.assigned(now, run, "run-token", "127.0.0.1:1", records));
        return decision.instance;
    }

    void end(const RunKey& run, bool usable = true) {
        REQUIRE(core.ended(now, run, {kRankEnded, 9}, "{}", usable, records));
    }

    bool lease_after_end(const RunKey& run, const std::string& run_token = "next") {
        const auto lessee = core.lessee(run);
        end(run);
        return lessee &&
               core.lease(now, run, Lease{*lessee, run_token, now}, "127.0.0.1:1", records);
    }

    // An instance that is leased with the end of `run`.
    InstanceId leased(const RunKey& run, const std::string& function = "f", Shard shard = 0) {
        const InstanceId id = serve(run, function, shard);
        REQUIRE(lease_after_end(run));
        core.check_invariants();
        return id;
    }

    bool adopt(const RunKey& run, const InstanceId& id) {
        const bool is_new = core.adopt(now, run, Token{"t"}, id, "127.0.0.1:1", records);
        core.check_invariants();
        return is_new;
    }

    // The next life of the host agent.
    HostCore replayed() const {
        HostCore next(limits);
        for (const Record& record : records) next.apply(record);
        return next;
    }

    CoreLimits limits;
    HostCore core{limits};
    Records records;
    TimePoint now{std::chrono::hours(1000)};
    Duration keep_alive = std::chrono::minutes(5);
    int fresh = 0;
};

TEST_CASE("the instance of a run that ended is leased to the owner of the run") {
    World world;
    const InstanceId id = world.leased(key("a"));
    const Instance* leased = world.core.leased_after(world.now, key("a"));
    REQUIRE(leased != nullptr);
    CHECK(leased->id == id);
    CHECK(leased->lease->run_token == "next");
    CHECK(leased->lease->owner == RunOwner{0, 1});
    world.now += seconds(10);
    CHECK(world.core.leased_after(world.now, key("a")) == nullptr);
    CHECK(world.core.leases_due(world.now) == std::vector<InstanceId>{id});
}

TEST_CASE("an instance that may not be used again is not leased") {
    World world;
    (void)world.serve(key("a"));
    const auto lessee = world.core.lessee(key("a"));
    REQUIRE(lessee);
    world.end(key("a"), false);
    CHECK_FALSE(
        world.core.lease(world.now, key("a"), Lease{*lessee, "n", world.now}, "", world.records));
    world.keep_alive = Duration::zero();
    (void)world.serve(key("b"), "g");
    CHECK_FALSE(world.core.lessee(key("b")));
}

TEST_CASE("a run that an earlier life took brings no lease") {
    World world;
    (void)world.serve(key("a"));
    CHECK_FALSE(world.replayed().lessee(key("a")));
}

TEST_CASE("a take of the lessee has the lease closed first") {
    World world;
    const InstanceId id = world.leased(key("a"));
    const TakeDecision first = world.take(key("b"));
    CHECK(first.verdict == TakeVerdict::close);
    CHECK(first.close == std::vector<InstanceId>{id});
    world.core.close_lease(id, world.records);
    const TakeDecision second = world.take(key("b"));
    CHECK(second.verdict == TakeVerdict::reuse);
    CHECK(second.instance == id);
}

TEST_CASE("another shard's take waits for the lapse, and starts an instance of its own") {
    World world;
    (void)world.leased(key("a"));
    CHECK(world.take(key("b"), "f", 7).verdict == TakeVerdict::start);
    CHECK(world.take(key("c"), "f", 7).verdict == TakeVerdict::no_capacity);
    world.now += seconds(10);
    CHECK(world.take(key("c"), "f", 7).verdict == TakeVerdict::close);
}

TEST_CASE("a host that needs room has leases closed before it evicts") {
    World world;
    const InstanceId first = world.leased(key("a"), "f");
    world.now += seconds(1);
    const InstanceId second = world.leased(key("b"), "g");
    const TakeDecision wanted = world.take(key("c"), "h");
    CHECK(wanted.verdict == TakeVerdict::close);
    CHECK(wanted.close == std::vector<InstanceId>{first});
    world.core.close_lease(first, world.records);
    const TakeDecision got = world.take(key("c"), "h");
    CHECK(got.verdict == TakeVerdict::start);
    CHECK(got.evict == std::vector<InstanceId>{first});
    CHECK(world.core.instance(second)->lease);
}

TEST_CASE("an instance whose lease cannot be closed stands in nobody's way") {
    World world;
    const InstanceId id = world.leased(key("a"));
    world.core.lease_stuck(id);
    CHECK(world.take(key("b")).verdict == TakeVerdict::start);
    CHECK(world.take(key("c")).verdict == TakeVerdict::no_capacity);
    CHECK(world.core.leases_due(world.now) == std::vector<InstanceId>{id});
}

TEST_CASE("a leased instance is not retired") {
    World world;
    world.keep_alive = seconds(5);
    const InstanceId id = world.leased(key("a"));
    world.now += seconds(5);
    CHECK(world.core.retire(world.now).empty());
    CHECK(world.core.leases_due(world.now) == std::vector<InstanceId>{id});  // keep_alive bounds it
    world.core.close_lease(id, world.records);
    CHECK(world.core.retire(world.now) == std::vector<InstanceId>{id});
}

TEST_CASE("a lease of an owner that was succeeded is due") {
    World world;
    const InstanceId id = world.leased(key("a"));
    CHECK(world.core.leases_due(world.now).empty());
    REQUIRE(world.core.obey({0, 2}, world.records));
    CHECK(world.core.leases_due(world.now) == std::vector<InstanceId>{id});
}

TEST_CASE("a run that started under the lease is adopted, once") {
    World world;
    const InstanceId id = world.leased(key("a"));
    CHECK(world.adopt(key("b"), id));
    CHECK_FALSE(world.adopt(key("b"), id));
    CHECK_FALSE(world.adopt(key("c"), id));  // nothing is leased any more
    CHECK(world.core.observe(key("b"), id, {kRankRunning, 1}));
    CHECK(world.core.run(key("b"))->run_token == "next");
    const TakeDecision again = world.take(key("b"));
    CHECK(again.verdict == TakeVerdict::answered);
    CHECK(again.instance == id);
    CHECK(world.lease_after_end(key("b"), "n2"));
}

TEST_CASE("old news of an acknowledged run does not use up the next lease") {
    World world;
    const InstanceId id = world.leased(key("a"));
    REQUIRE(world.adopt(key("b"), id));
    REQUIRE(world.lease_after_end(key("b"), "n2"));
    REQUIRE(world.core.ack(world.now, key("b"), world.records));
    CHECK_FALSE(world.adopt(key("b"), id));
    CHECK(world.core.instance(id)->lease);
}

TEST_CASE("a kill of what was sent under a lease has the runtime agent asked") {
    World world;
    const InstanceId id = world.leased(key("a"));
    const auto kill = [&] {
        return world.core.kill(world.now, {0, 1}, key("b"), false, id, world.records);
    };
    const KillDecision asked = kill();
    CHECK(asked.verdict == KillVerdict::ask);
    CHECK(asked.instance == id);
    CHECK(world.take(key("b")).verdict == TakeVerdict::fenced);  // until that is known
    CHECK(world.adopt(key("b"), id));                            // it had started
    world.core.unblock(key("b"));
    CHECK(kill().verdict == KillVerdict::forward);
}

TEST_CASE("once the lease is closed a kill of what was sent under it is a fence") {
    World world;
    const InstanceId id = world.leased(key("a"));
    world.core.close_lease(id, world.records);
    CHECK(world.core.kill(world.now, {0, 1}, key("b"), false, id, world.records).verdict ==
          KillVerdict::fenced);
}

TEST_CASE("what was sent under the lease of an instance that died is lost, not fenced") {
    World world;
    const InstanceId id = world.leased(key("a"));
    CHECK(world.core.dead(id, world.records).empty());
    CHECK(world.core.kill(world.now, {0, 1}, key("b"), false, id, world.records).verdict ==
          KillVerdict::lost);
    CHECK(world.core.adopt_lost(world.now, key("b"), Token{"t"}, id, world.records));
    world.end(key("b"), false);
    CHECK(world.take(key("b")).verdict == TakeVerdict::ended);
    CHECK_FALSE(world.core.adopt_lost(world.now, key("b"), Token{"t"}, id, world.records));
}

TEST_CASE("an instance that died after its lease was closed loses nothing") {
    World world;
    const InstanceId id = world.leased(key("a"));
    world.core.close_lease(id, world.records);
    CHECK(world.core.dead(id, world.records).empty());
    CHECK_FALSE(world.core.lost_with_lease(id));
}

TEST_CASE("a lease, and its loss, outlive the host agent") {
    World world;
    const InstanceId id = world.leased(key("a"));
    SECTION("open") {
        HostCore next = world.replayed();
        Records records;
        next.begin_epoch(world.now, records);
        next.found(id);
        next.check_invariants();
        CHECK(next.adopt(world.now, key("b"), Token{"t"}, id, "127.0.0.1:1", records));
    }
    SECTION("closed") {
        world.core.close_lease(id, world.records);
        CHECK_FALSE(world.replayed().instance(id)->lease);
    }
    SECTION("used") {
        REQUIRE(world.adopt(key("b"), id));
        const HostCore next = world.replayed();
        CHECK_FALSE(next.instance(id)->lease);
        CHECK(next.instance(id)->runs == std::set{key("b")});
    }
    SECTION("lost") {
        (void)world.core.dead(id, world.records);
        CHECK(world.replayed().lost_with_lease(id));
    }
    SECTION("in a journal that was written anew") {
        world.records = world.core.snapshot();
        CHECK(world.replayed().instance(id)->lease == world.core.instance(id)->lease);
        (void)world.core.dead(id, world.records);
        world.records = world.core.snapshot();
        CHECK(world.replayed().lost_with_lease(id));
    }
}

TEST_CASE("a lost lease is forgotten with the fences") {
    World world;
    const InstanceId id = world.leased(key("a"));
    (void)world.core.dead(id, world.records);
    world.now += std::chrono::hours(1);
    world.core.forget_old(world.now);
    CHECK_FALSE(world.core.lost_with_lease(id));
}

}  // namespace
}  // namespace longhaul::host_agent
