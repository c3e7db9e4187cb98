// Several runs in one instance: core/instance.hpp. Guards I3 and I10.
#include "runtime_agent_ext/core/instance.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace longhaul::runtime_agent_ext {
namespace {

using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(24)};

RunKey key(const std::string& id, AttemptNumber attempt = 1) { return {InvocationId{id}, attempt}; }

// An instance with three places, and what is said to it.
struct Bed {
    Instance instance{InstanceLimits{}};
    TimePoint now = kStart;
    Actions actions;

    explicit Bed(bool returns_are_heard = true) {
        (void)instance.begin_load(now, "f1", seconds(30), actions, {3, returns_are_heard});
        instance.load_ended(now, {}, actions);
        actions.clear();
    }
    Result<void> assign(const std::string& id, AttemptNumber attempt = 1) {
        return instance.assign({key(id, attempt), Token{"t"}, "run-" + id});
    }
    Result<bool> start(const std::string& id, Duration heartbeat_timeout = {}) {
        RunOrder order;
        order.key = key(id);
        order.token = Token{"t"};
        order.run_token = "run-" + id;
        order.timeout = seconds(100);
        order.timeout_grace = seconds(2);
        order.heartbeat_timeout = heartbeat_timeout;
        return instance.start(now, order, actions);
    }
    void run(const std::string& id) {
        REQUIRE(assign(id));
        REQUIRE(start(id).value());
        instance.function_started(key(id), actions);
        actions.clear();
    }
    // Its handler has returned.
    void end(const std::string& id) {
        FunctionEnd end;
        end.success = true;
        end.still_serving = true;
        instance.function_ended(now, key(id), end, actions);
        instance.check_invariants();
    }
    void dies_under(const std::string& id) {
        FunctionEnd end;
        end.reason = FailureReason::signal;
        end.signal = 9;
        end.runtime_gone = true;
        instance.function_ended(now, key(id), end, actions);
        instance.check_invariants();
    }
    void stop(const std::string& id, StopMode mode, Duration grace) {
        CHECK(instance.stop(now, key(id), Token{"t"}, mode, grace, actions) ==
              StopVerdict::stopping);
        instance.check_invariants();
    }
    void advance(Duration by) {
        now += by;
        actions.clear();
        instance.tick(now, actions);
        instance.check_invariants();
    }
    [[nodiscard]] bool did(Action action, const std::string& id = "") const {
        return std::ranges::any_of(actions, [&](const Step& step) {
            return step.action == action && step.run.invocation.text == id;
        });
    }
    [[nodiscard]] const Run& run_of(const std::string& id) const { return *instance.find(key(id)); }
};

}  // namespace

TEST_CASE("as many runs are on at once as there are places, and no more") {
    Bed bed;
    for (const std::string id : {"a", "b", "c"}) bed.run(id);
    CHECK(bed.instance.live_count() == 3);
    CHECK(bed.assign("d").error().type == "busy");
    bed.end("b");
    CHECK(bed.instance.state() == InstanceState::busy);
    bed.run("d");
    for (const std::string id : {"a", "c", "d"}) bed.end(id);
    CHECK(bed.instance.state() == InstanceState::loaded);
}

TEST_CASE("each run has its own assignment, in any order") {
    Bed bed;
    for (const std::string id : {"a", "b", "c"}) REQUIRE(bed.assign(id));
    CHECK(bed.start("c").value());
    CHECK(bed.start("a").value());
    CHECK_FALSE(bed.start("a").value());
    CHECK(bed.start("b").value());
    CHECK(bed.start("d").error().type == "busy");
    CHECK(bed.did(Action::start_function, "b"));
}

TEST_CASE("an assignment that nobody used makes place for a newer one") {
    Bed bed;
    for (const std::string id : {"a", "b", "c", "d"}) REQUIRE(bed.assign(id));
    CHECK(bed.start("a").error().type == "not-assigned");
    for (const std::string id : {"b", "c", "d"}) CHECK(bed.start(id).value());
}

TEST_CASE("a fenced assignment takes nobody's place") {
    Bed bed;
    for (const std::string id : {"a", "b", "c"}) REQUIRE(bed.assign(id));
    CHECK(bed.instance.stop(bed.now, key("b"), Token{"t"}, StopMode::fence, seconds(0),
                            bed.actions) == StopVerdict::fenced);
    REQUIRE(bed.assign("d"));
    CHECK(bed.start("b").error().type == "fenced");
    for (const std::string id : {"a", "c", "d"}) CHECK(bed.start(id).value());
}

TEST_CASE("a shared instance offers itself to nobody") {
    Bed bed;
    bed.run("a");
    bed.end("a");
    bed.instance.offer("next");
    CHECK(bed.instance.offered() == nullptr);
    bed.instance.kept({key("a")}, bed.actions);
    REQUIRE(bed.assign("b"));
    CHECK(bed.start("b").value());
}

TEST_CASE("the sign of life of one run is none of another's") {
    Bed bed;
    for (const std::string id : {"a", "b"}) {
        REQUIRE(bed.assign(id));
        REQUIRE(bed.start(id, seconds(10)));
    }
    bed.advance(seconds(9));
    bed.instance.heartbeat(bed.now, key("a"), bed.actions);
    bed.advance(seconds(1));
    CHECK_FALSE(bed.run_of("a").silent);
    CHECK(bed.run_of("b").silent);
    CHECK(bed.instance.next_deadline() == kStart + seconds(19));
}

TEST_CASE("an invocation has one attempt at a time in an instance") {
    Bed bed;
    bed.run("a");
    CHECK(bed.assign("a", 2).error().type == "busy");
    bed.end("a");
    CHECK(bed.assign("a", 2));
}

TEST_CASE("a repeated start is answered also after others have come and gone") {
    Bed bed;
    bed.run("a");
    bed.end("a");
    bed.run("b");
    CHECK_FALSE(bed.start("a").value());
    bed.end("b");
    bed.instance.kept({key("a"), key("b")}, bed.actions);
    bed.run("c");
    CHECK(bed.instance.find(key("a")) == nullptr);
    CHECK(bed.instance.runs().size() == 1);
}

TEST_CASE("a run that returns when it is told to leaves the others and the instance alone") {
    Bed bed;
    bed.run("a");
    bed.run("b");
    bed.stop("a", StopMode::cancel, seconds(30));
    CHECK(bed.did(Action::cancel_run, "a"));
    CHECK_FALSE(bed.did(Action::terminate));
    bed.end("a");
    CHECK(bed.run_of("a").outcome == AttemptOutcome::cancelled);
    CHECK(bed.run_of("a").tree_gone);
    CHECK_FALSE(bed.run_of("a").sigkill_sent);
    CHECK(bed.run_of("b").rank == RunRank::running);
    CHECK(bed.instance.state() == InstanceState::busy);
    bed.end("b");
    CHECK(bed.run_of("b").outcome == AttemptOutcome::succeeded);
    CHECK(bed.instance.state() == InstanceState::loaded);
}

TEST_CASE("a run that does not return is given up, without proof, and the instance wears out") {
    Bed bed;
    bed.run("a");
    bed.run("b");
    bed.stop("a", StopMode::cancel, seconds(30));
    bed.advance(seconds(30));
    CHECK_FALSE(bed.did(Action::kill_tree));
    CHECK(bed.run_of("a").outcome == AttemptOutcome::cancelled);
    CHECK_FALSE(bed.run_of("a").tree_gone);
    CHECK_FALSE(bed.run_of("a").sigkill_sent);
    CHECK(bed.run_of("b").rank == RunRank::running);
    CHECK(bed.instance.state() == InstanceState::broken);
    CHECK(bed.assign("c").error().type == "broken");
    bed.end("b");
    CHECK(bed.run_of("b").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a run that is alone at the end of its grace is killed with the tree") {
    Bed bed;
    bed.run("a");
    bed.run("b");
    bed.stop("a", StopMode::kill, seconds(2));
    bed.end("b");
    CHECK_FALSE(bed.did(Action::terminate));
    bed.advance(seconds(2));
    CHECK(bed.did(Action::kill_tree));
    CHECK(bed.assign("c").error().type == "broken");
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::killed);
    CHECK(bed.run_of("a").tree_gone);
    CHECK(bed.run_of("a").sigkill_sent);
}

TEST_CASE("where returns are not heard a stopped run waits for the others, then the tree ends") {
    Bed bed(false);
    bed.run("a");
    bed.run("b");
    bed.stop("a", StopMode::cancel, seconds(30));
    CHECK(bed.did(Action::cancel_run, "a"));
    CHECK(bed.assign("c").error().type == "broken");
    CHECK_FALSE(bed.did(Action::terminate));
    bed.actions.clear();
    bed.end("b");
    CHECK(bed.did(Action::terminate));
    bed.instance.tree_empty(bed.now, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::cancelled);
    CHECK(bed.run_of("a").tree_gone);
}

TEST_CASE("runs that are all stopped in a worn instance end with its tree") {
    Bed bed(false);
    bed.run("a");
    bed.run("b");
    bed.stop("a", StopMode::cancel, seconds(30));
    bed.stop("b", StopMode::kill, seconds(2));
    CHECK(bed.did(Action::terminate));
    bed.advance(seconds(2));
    CHECK(bed.run_of("b").outcome == AttemptOutcome::killed);
    CHECK(bed.run_of("a").rank == RunRank::stopping);
    bed.advance(seconds(28));
    CHECK(bed.did(Action::kill_tree));
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::killed);
}

TEST_CASE("each run has its own time limit") {
    Bed bed;
    bed.run("a");
    bed.now += seconds(50);
    bed.run("b");
    CHECK(bed.instance.next_deadline() == kStart + seconds(100));
    bed.advance(seconds(50));
    CHECK(bed.did(Action::cancel_run, "a"));
    CHECK(bed.run_of("b").rank == RunRank::running);
    bed.advance(seconds(2));
    CHECK(bed.run_of("a").outcome == AttemptOutcome::timed_out);
    CHECK(bed.run_of("a").end.reason == FailureReason::timeout);
    CHECK(bed.instance.next_deadline() == kStart + seconds(150));
}

TEST_CASE("the death of the process ends all its runs, those that were stopped too") {
    Bed bed;
    for (const std::string id : {"a", "b", "c"}) bed.run(id);
    bed.stop("c", StopMode::cancel, seconds(30));
    for (const std::string id : {"a", "b", "c"}) bed.dies_under(id);
    CHECK(bed.run_of("a").end.reason == FailureReason::signal);
    CHECK(bed.run_of("b").outcome == AttemptOutcome::failed);
    CHECK(bed.run_of("c").rank == RunRank::stopping);
    bed.instance.tree_empty(bed.now, bed.actions);
    CHECK(bed.run_of("c").outcome == AttemptOutcome::cancelled);
    CHECK(bed.instance.state() == InstanceState::broken);
}

TEST_CASE("a destroy kills all runs at once") {
    Bed bed;
    bed.run("a");
    bed.run("b");
    bed.instance.destroy(bed.now, bed.actions);
    CHECK(std::ranges::count(bed.actions, Action::kill_tree, &Step::action) == 1);
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    for (const std::string id : {"a", "b"}) {
        CHECK(bed.run_of(id).outcome == AttemptOutcome::killed);
        CHECK(bed.run_of(id).tree_gone);
    }
    CHECK(bed.did(Action::exit));
}

TEST_CASE("a drained agent waits for all its runs") {
    Bed bed;
    bed.run("a");
    bed.run("b");
    bed.instance.drain(bed.now, bed.actions);
    bed.end("a");
    bed.instance.kept({key("a")}, bed.actions);
    CHECK_FALSE(bed.did(Action::exit));
    bed.end("b");
    bed.instance.kept({key("b")}, bed.actions);
    CHECK(bed.did(Action::exit));
}

}  // namespace longhaul::runtime_agent_ext
