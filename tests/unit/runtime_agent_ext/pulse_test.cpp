// Signs of life of a run, and their absence: core/pulse.hpp.
#include "runtime_agent_ext/core/pulse.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(24)};
const RunKey kRun{InvocationId{"a"}, 1};

// A run of a function that may be silent for 10 s.
struct Bed {
    Instance instance{InstanceLimits{}};
    TimePoint now = kStart;
    Actions actions;

    explicit Bed(Duration heartbeat_timeout = seconds(10)) {
        (void)instance.begin_load(now, "f1", seconds(30), actions);
        instance.load_ended(now, {}, actions);
        RunOrder order;
        order.key = kRun;
        order.token = Token{"t"};
        order.run_token = "run";
        order.timeout = std::chrono::hours(1);
        order.heartbeat_timeout = heartbeat_timeout;
        REQUIRE(instance.assign({order.key, order.token, order.run_token}));
        REQUIRE(instance.start(now, order, actions));
        instance.function_started(kRun, actions);
    }
    void advance(Duration by) {
        now += by;
        actions.clear();
        instance.tick(now, actions);
        instance.check_invariants();
    }
    const Run& run() { return *instance.find(kRun); }
    bool reports() const { return actions == Actions{Action::report_now}; }
};

}  // namespace

TEST_CASE("a run that tells nothing for its heartbeat timeout is silent, and goes on") {
    Bed bed;
    CHECK(bed.instance.next_deadline() == kStart + seconds(10));
    bed.advance(seconds(9));
    CHECK_FALSE(bed.run().silent);
    const auto version = bed.run().version;
    bed.advance(seconds(1));
    CHECK(bed.run().silent);
    CHECK(bed.run().rank == RunRank::running);
    CHECK(bed.run().version == version + 1);
    CHECK(bed.reports());
    bed.advance(seconds(30));
    CHECK(bed.run().version == version + 1);
    CHECK(bed.actions.empty());
}

TEST_CASE("a heartbeat or progress puts off the silence, and ends it") {
    Bed bed;
    bed.advance(seconds(9));
    bed.instance.heartbeat(bed.now, kRun, bed.actions);
    CHECK(bed.actions.empty());  // nothing that anybody has to know
    bed.advance(seconds(9));
    CHECK_FALSE(bed.run().silent);
    bed.advance(seconds(1));
    CHECK(bed.run().silent);
    bed.actions.clear();
    bed.instance.heartbeat(bed.now, kRun, bed.actions);
    CHECK_FALSE(bed.run().silent);
    CHECK(bed.reports());
}

TEST_CASE("a function that declares no heartbeat timeout may be silent for ever") {
    Bed bed(Duration::zero());
    bed.advance(std::chrono::minutes(59));
    CHECK_FALSE(bed.run().silent);
    CHECK(bed.actions.empty());
}

}  // namespace longhaul::runtime_agent_ext
