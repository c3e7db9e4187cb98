// Guards I3 and I10, inside an instance: core/instance.hpp.
#include "runtime_agent_ext/core/instance.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace longhaul::runtime_agent_ext {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(24)};

RunKey key(const std::string& id, AttemptNumber attempt = 1) { return {InvocationId{id}, attempt}; }

bool has(const Actions& actions, Action action) {
    return std::ranges::find(actions, action, &Step::action) != actions.end();
}

struct Bed {
    Instance instance{InstanceLimits{}};
    TimePoint now = kStart;
    Actions actions;

    Bed() {
        (void)instance.begin_load(now, "f1", seconds(30), actions);
        instance.load_ended(now, {}, actions);
        actions.clear();
    }
    Result<void> assign(const std::string& id, const std::string& token = "t") {
        return instance.assign({key(id), Token{token}, "run-" + id});
    }
    // After a run of that owner.
    void offer(const std::string& run_token, OwnerTerm of_term = 1) {
        REQUIRE(assign("before"));
        REQUIRE(start("before", "t", "", of_term).value());
        end(true);
        instance.offer(run_token);
        instance.kept({key("before")}, actions);
        actions.clear();
    }
    Result<bool> start(const std::string& id, const std::string& token = "t",
                       const std::string& run_token = "", OwnerTerm term = 1) {
        RunOrder order;
        order.key = key(id);
        order.token = Token{token};
        order.run_token = run_token.empty() ? "run-" + id : run_token;
        order.owner_term = term;
        order.timeout = seconds(10);
        order.timeout_grace = seconds(2);
        return instance.start(now, order, actions);
    }
    void run(const std::string& id) {
        REQUIRE(assign(id));
        REQUIRE(start(id).value());
        instance.function_started(key(id), actions);
    }
    // The run that is on.
    void end(bool success, bool left_processes = false) {
        const auto live = std::ranges::find_if(instance.runs(), &Run::is_live);
        REQUIRE(live != instance.runs().end());
        const RunKey on = live->key;
        FunctionEnd end;
        end.success = success;
        if (!success) end.reason = FailureReason::exit;
        end.left_processes = left_processes;
        instance.function_ended(now, on, end, actions);
    }
    StopVerdict stop(const std::string& id, StopMode mode, Duration grace) {
        return instance.stop(now, key(id), Token{"t"}, mode, grace, actions);
    }
    void advance(Duration by) {
        now += by;
        actions.clear();
        instance.tick(now, actions);
        instance.check_invariants();
    }
    const Run& run_of(const std::string& id) { return *instance.find(key(id)); }
};

}  // namespace

TEST_CASE("a run goes from starting to running to ended, and the instance is loaded again") {
    Bed bed;
    REQUIRE(bed.assign("a"));
    REQUIRE(bed.start("a").value());
    CHECK(bed.run_of("a").rank == RunRank::starting);
    CHECK(bed.instance.state() == InstanceState::busy);
    bed.instance.function_started(key("a"), bed.actions);
    CHECK(bed.run_of("a").rank == RunRank::running);
    bed.end(true);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::succeeded);
    CHECK(bed.run_of("a").version == 3);
    CHECK(bed.instance.state() == InstanceState::loaded);
    bed.instance.check_invariants();
}

TEST_CASE("a repeated start is the run that exists, also after its end") {
    Bed bed;
    bed.run("a");
    CHECK_FALSE(bed.start("a").value());
    bed.end(true);
    CHECK_FALSE(bed.start("a").value());
    bed.instance.kept({key("a")}, bed.actions);
    CHECK_FALSE(bed.start("a").value());
    CHECK(bed.instance.runs().size() == 1);
}

TEST_CASE("a start under another token is refused") {
    Bed bed;
    bed.run("a");
    CHECK(bed.start("a", "other").error().type == "not-assigned");
}

TEST_CASE("only the assigned attempt may start") {
    Bed bed;
    CHECK(bed.start("a").error().type == "not-assigned");
    REQUIRE(bed.assign("a"));
    CHECK(bed.start("b").error().type == "not-assigned");
}

TEST_CASE("a second invocation is refused while one runs") {
    Bed bed;
    bed.run("a");
    CHECK(bed.start("b").error().type == "busy");
    CHECK(bed.assign("b").error().type == "busy");
}

TEST_CASE("what was fenced before never starts") {
    Bed bed;
    CHECK(bed.stop("a", StopMode::fence, Duration::zero()) == StopVerdict::fenced);
    CHECK(bed.assign("a").error().type == "fenced");
    REQUIRE(bed.assign("b"));
    CHECK(bed.stop("b", StopMode::kill, Duration::zero()) == StopVerdict::fenced);
    CHECK(bed.start("b").error().type == "fenced");
}

TEST_CASE("fences are bounded") {
    Bed bed;
    for (int i = 0; i < 5000; ++i)
        (void)bed.stop("f" + std::to_string(i), StopMode::fence, Duration::zero());
    CHECK(bed.assign("f4999").error().type == "fenced");
    bed.instance.check_invariants();
}

TEST_CASE("the time limit stops a run: SIGTERM at once, SIGKILL after the grace") {
    Bed bed;
    bed.run("a");
    CHECK(bed.instance.next_deadline() == kStart + seconds(10));
    bed.advance(seconds(10));
    CHECK(has(bed.actions, Action::terminate));
    CHECK(bed.run_of("a").rank == RunRank::stopping);
    CHECK_FALSE(has(bed.actions, Action::kill_tree));
    bed.advance(seconds(2));
    CHECK(has(bed.actions, Action::kill_tree));
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::timed_out);
    CHECK(bed.run_of("a").stop_cause == StopCause::timeout);
    CHECK(bed.run_of("a").sigkill_sent);
    CHECK(bed.run_of("a").tree_gone);
    CHECK(bed.instance.state() == InstanceState::broken);
}

TEST_CASE("exit 0 after our SIGTERM is no success") {
    Bed bed;
    bed.run("a");
    CHECK(bed.stop("a", StopMode::cancel, seconds(30)) == StopVerdict::stopping);
    bed.end(true);
    CHECK(bed.run_of("a").rank == RunRank::stopping);
    bed.instance.tree_empty(bed.now, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::cancelled);
    CHECK_FALSE(bed.run_of("a").sigkill_sent);
    CHECK(bed.run_of("a").tree_gone);
}

TEST_CASE("a function that ended before its stop keeps its own end") {
    Bed bed;
    bed.run("a");
    bed.end(true);
    CHECK(bed.stop("a", StopMode::kill, seconds(2)) == StopVerdict::ended);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::succeeded);
}

TEST_CASE("a kill shortens the grace of a cancel under way, and causes only rise") {
    Bed bed;
    bed.run("a");
    (void)bed.stop("a", StopMode::cancel, seconds(30));
    (void)bed.stop("a", StopMode::kill, seconds(2));
    CHECK(bed.instance.next_deadline() == kStart + seconds(2));
    (void)bed.stop("a", StopMode::cancel, seconds(60));
    CHECK(bed.instance.next_deadline() == kStart + seconds(2));
    CHECK(bed.run_of("a").stop_cause == StopCause::kill);
}

TEST_CASE("a cancel that needed SIGKILL is a kill") {
    Bed bed;
    bed.run("a");
    (void)bed.stop("a", StopMode::cancel, milliseconds(5));
    bed.advance(milliseconds(5));
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::killed);
}

TEST_CASE("a runtime that answers in its grace is not killed for its run") {
    Bed bed;
    bed.run("a");
    (void)bed.stop("a", StopMode::cancel, seconds(30));
    FunctionEnd end;
    end.success = true;
    end.still_serving = true;
    bed.actions.clear();
    bed.instance.function_ended(bed.now, key("a"), end, bed.actions);
    CHECK(has(bed.actions, Action::kill_tree));
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::cancelled);
    CHECK_FALSE(bed.run_of("a").sigkill_sent);
}

TEST_CASE("a stop under a wrong token is refused") {
    Bed bed;
    bed.run("a");
    CHECK(bed.instance.stop(bed.now, key("a"), Token{"x"}, StopMode::kill, seconds(1),
                            bed.actions) == StopVerdict::wrong_token);
    CHECK(bed.run_of("a").rank == RunRank::running);
}

TEST_CASE("processes left behind break the instance, not the result") {
    Bed bed;
    bed.run("a");
    bed.end(true, true);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::succeeded);
    CHECK(bed.instance.state() == InstanceState::broken);
    CHECK(bed.assign("b").error().type == "broken");
}

TEST_CASE("an end is remembered until it is kept and another run is assigned") {
    Bed bed;
    bed.run("a");
    bed.end(true);
    REQUIRE(bed.assign("b"));
    CHECK(bed.instance.find(key("a")) != nullptr);
    bed.instance.kept({key("a")}, bed.actions);
    CHECK(bed.instance.find(key("a")) == nullptr);
}

TEST_CASE("a load is one-shot: the same again is a no-op, another is refused") {
    Bed bed;
    CHECK_FALSE(bed.instance.begin_load(bed.now, "f1", seconds(1), bed.actions).value());
    CHECK(bed.instance.begin_load(bed.now, "f2", seconds(1), bed.actions).error().type ==
          "already-loaded");
}

TEST_CASE("a load that takes too long breaks the instance") {
    Instance instance{InstanceLimits{}};
    Actions actions;
    REQUIRE(instance.begin_load(kStart, "f", seconds(30), actions));
    actions.clear();
    instance.tick(kStart + seconds(30), actions);
    CHECK(instance.state() == InstanceState::broken);
    CHECK(instance.load_error()->code == Errc::timed_out);
    CHECK(has(actions, Action::kill_tree));
}

TEST_CASE("a drained agent ends once its run has ended and is kept") {
    Bed bed;
    bed.run("a");
    bed.actions.clear();
    bed.instance.drain(bed.now, bed.actions);
    CHECK_FALSE(has(bed.actions, Action::exit));
    bed.end(true);
    CHECK_FALSE(has(bed.actions, Action::exit));
    bed.instance.kept({key("a")}, bed.actions);
    CHECK(has(bed.actions, Action::exit));
}

TEST_CASE("an assignment given before the drain may still start; a new one is refused") {
    Bed bed;
    REQUIRE(bed.assign("a"));
    bed.instance.drain(bed.now, bed.actions);
    CHECK_FALSE(has(bed.actions, Action::exit));
    CHECK(bed.assign("b").error().type == "draining");
    REQUIRE(bed.start("a").value());
    bed.end(true);
    bed.instance.kept({key("a")}, bed.actions);
    CHECK(has(bed.actions, Action::exit));
}

TEST_CASE("a drained agent ends when the assignment that it waited for is fenced") {
    Bed bed;
    REQUIRE(bed.assign("a"));
    bed.instance.drain(bed.now, bed.actions);
    bed.actions.clear();
    CHECK(bed.stop("a", StopMode::fence, Duration::zero()) == StopVerdict::fenced);
    CHECK(has(bed.actions, Action::exit));
}

TEST_CASE("a run that is stopped for its host's sake is lost, with the evidence") {
    Bed bed;
    bed.run("a");
    CHECK(bed.instance.stop(bed.now, key("a"), Token{"t"}, StopMode::host, seconds(5), bed.actions,
                            "a new disk") == StopVerdict::stopping);
    CHECK(has(bed.actions, Action::terminate));
    bed.end(true);
    bed.instance.tree_empty(bed.now, bed.actions);
    const Run& run = *bed.instance.find(key("a"));
    CHECK(run.outcome == AttemptOutcome::lost);
    CHECK(run.end.reason == FailureReason::lost);
    CHECK(run.end.message == "a new disk");
    CHECK(run.stop_cause == StopCause::none);
    CHECK(bed.instance.state() == InstanceState::broken);
}

TEST_CASE("a stop of the gateway's decides what a stop for the host's sake has begun") {
    Bed bed;
    bed.run("a");
    (void)bed.stop("a", StopMode::host, seconds(5));
    (void)bed.stop("a", StopMode::cancel, seconds(30));
    bed.instance.tree_empty(bed.now, bed.actions);
    CHECK(bed.instance.find(key("a"))->outcome == AttemptOutcome::cancelled);
}

TEST_CASE("an agent that is told twice to end stops its run, with the grace of its timeout") {
    Bed bed;
    bed.run("a");
    bed.instance.drain(bed.now, bed.actions);
    CHECK_FALSE(has(bed.actions, Action::terminate));
    bed.instance.drain(bed.now, bed.actions);
    CHECK(has(bed.actions, Action::terminate));
    bed.advance(seconds(2));
    CHECK(has(bed.actions, Action::kill_tree));
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(bed.instance.find(key("a"))->outcome == AttemptOutcome::lost);
}

TEST_CASE("a destroy kills what runs, then ends the agent") {
    Bed bed;
    bed.run("a");
    bed.actions.clear();
    bed.instance.destroy(bed.now, bed.actions);
    CHECK(std::ranges::count(bed.actions, Action::kill_tree, &Step::action) == 1);
    bed.instance.tree_killed(bed.now, true, true, bed.actions);
    CHECK(has(bed.actions, Action::exit));
    CHECK(bed.run_of("a").outcome == AttemptOutcome::killed);
}

TEST_CASE("an idle instance offers itself to one run, the first that comes") {
    Bed bed;
    CHECK(bed.instance.offered() == nullptr);
    bed.offer("next");
    REQUIRE(bed.instance.offered());
    CHECK(bed.start("a", "t", "next").value());
    CHECK_FALSE(bed.start("a", "t", "next").value());  // again: the run that exists
    CHECK(bed.start("b", "t", "next").error().type == "busy");
    CHECK(bed.instance.offered() == nullptr);
    bed.instance.function_started(key("a"), bed.actions);
    bed.end(true);
    CHECK(bed.start("b", "t", "next").error().type == "not-assigned");
    CHECK(bed.instance.runs().size() == 1);
}

TEST_CASE("an offer that was taken back starts nothing") {
    Bed bed;
    bed.offer("next");
    REQUIRE(bed.instance.unassign());
    CHECK(bed.start("a", "t", "next").error().type == "not-assigned");
    bed.offer("another");
    CHECK(bed.start("a", "t", "next").error().type == "not-assigned");
    REQUIRE(bed.assign("b"));
    CHECK(bed.start("a", "t", "another").error().type == "not-assigned");
    CHECK(bed.start("b").value());
}

TEST_CASE("what has started under an offer cannot be taken back") {
    Bed bed;
    bed.offer("next");
    REQUIRE(bed.start("a", "t", "next").value());
    CHECK(bed.instance.unassign().error().type == "busy");
    CHECK(bed.assign("b").error().type == "busy");
    bed.end(true);
    REQUIRE(bed.instance.unassign());
    CHECK(bed.instance.find(key("a")) != nullptr);  // its end is not kept yet
}

TEST_CASE("a start that comes again is known until an offer is taken") {
    Bed bed;
    bed.offer("next");  // and the end is kept
    CHECK_FALSE(bed.start("before").value());
    REQUIRE(bed.start("a", "t", "next").value());
    CHECK(bed.instance.find(key("before")) == nullptr);
}

TEST_CASE("an offer is not for an older owner, nor for another shard") {
    Bed bed;
    bed.offer("next", 5);
    CHECK(bed.start("a", "t", "next", 4).error().type == "stale-owner");
    RunOrder order;
    order.key = key("a");
    order.token = Token{"t"};
    order.run_token = "next";
    order.shard = 7;
    order.owner_term = 9;
    CHECK(bed.instance.start(bed.now, order, bed.actions).error().type == "not-assigned");
    CHECK(bed.start("a", "t", "next", 6).value());
}

TEST_CASE("a fence holds under an offer too") {
    Bed bed;
    bed.offer("next");
    CHECK(bed.stop("a", StopMode::cancel, seconds(1)) == StopVerdict::fenced);
    CHECK(bed.start("a", "t", "next").error().type == "fenced");
    CHECK(bed.start("b", "t", "next").value());
}

TEST_CASE("an instance that is busy, done for or draining offers nothing") {
    Bed bed;
    bed.instance.offer("early");
    CHECK(bed.instance.offered() == nullptr);  // no run was here: it is for nobody
    bed.run("a");
    bed.instance.offer("busy");
    CHECK(bed.instance.offered() == nullptr);
    SECTION("done for") { bed.end(true, true); }
    SECTION("draining") {
        bed.end(true);
        bed.instance.drain(bed.now, bed.actions);
    }
    bed.instance.offer("late");
    CHECK(bed.instance.offered() == nullptr);
    CHECK(bed.start("b", "t", "late").error().type == "not-assigned");
}

TEST_CASE("an offer that a drain came upon starts nothing") {
    Bed bed;
    bed.offer("next");
    bed.instance.drain(bed.now, bed.actions);
    CHECK(bed.instance.offered() == nullptr);
    CHECK(bed.start("a", "t", "next").error().type == "draining");
    CHECK(has(bed.actions, Action::exit));
}

TEST_CASE("a deadline before the time limit stops the run as a deadline") {
    Bed bed;
    REQUIRE(bed.assign("a"));
    RunOrder order;
    order.key = key("a");
    order.token = Token{"t"};
    order.run_token = "run-a";
    order.timeout = seconds(10);
    order.deadline = seconds(3);
    REQUIRE(bed.instance.start(bed.now, order, bed.actions).value());
    bed.advance(seconds(3));
    bed.instance.tree_empty(bed.now, bed.actions);
    CHECK(bed.run_of("a").outcome == AttemptOutcome::timed_out);
    CHECK(bed.run_of("a").end.reason == FailureReason::deadline);
}

TEST_CASE("the first progress of a run is told at once, the next ones wait for company") {
    Bed bed;
    bed.run("a");
    bed.actions.clear();
    bed.instance.progress(bed.now, key("a"), 1, "one", bed.actions);
    CHECK(has(bed.actions, Action::report_now));
    bed.actions.clear();
    bed.instance.progress(bed.now, key("a"), 2, "two", bed.actions);
    CHECK(has(bed.actions, Action::report_soon));
    CHECK_FALSE(has(bed.actions, Action::report_now));
}

TEST_CASE("a run that was given up breaks the instance, and its tree is not gone") {
    Bed bed;
    bed.run("a");
    FunctionEnd end;
    end.reason = FailureReason::error;
    end.given_up = true;
    bed.instance.function_ended(bed.now, key("a"), end, bed.actions);
    CHECK(bed.instance.state() == InstanceState::broken);
    CHECK_FALSE(bed.run_of("a").tree_gone);
}

TEST_CASE("progress is clamped and its text is bounded") {
    Bed bed;
    bed.run("a");
    bed.instance.progress(bed.now, key("a"), 250, std::string(5000, 'x'), bed.actions);
    CHECK(bed.run_of("a").progress->percent == 100);
    CHECK(bed.run_of("a").progress->message.size() == 1024);
}

}  // namespace longhaul::runtime_agent_ext
