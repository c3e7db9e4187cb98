// Cancel, kill and what time brings, in each state. Guards I6 and I10.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

struct StopBed : Bed {
    StopBed() {
        function("f");
        host("h1");
    }
    InvocationId running() {
        const InvocationId id = submit();
        take_answered(id);
        started(id);
        return id;
    }
    // Time passes; the host stays in touch.
    void pass(Duration span) {
        const TimePoint until = now + span;
        while (now < until) {
            now = std::min(until, now + Duration(seconds(5)));
            host("h1");
            tick();
        }
    }
};

}  // namespace

TEST_CASE("what waits is cancelled at once, by cancel and by kill") {
    for (const bool kills : {false, true}) {
        Bed bed;
        bed.function("f");
        const InvocationId id = bed.submit();
        REQUIRE((kills ? bed.kill(id) : bed.cancel(id)));
        CHECK(bed.state(id) == State::cancelled);
        CHECK(bed.of(id).stop.confirmed);  // nothing runs
        CHECK(bed.of(id).stop.by == "api");
        CHECK_FALSE(bed.of(id).failure);
        CHECK_FALSE(bed.said<StopEffect>());
    }
}

TEST_CASE("a dispatching one is stopping until the host says that it never started") {
    StopBed bed;
    const InvocationId id = bed.submit();
    REQUIRE(bed.cancel(id));
    CHECK(bed.state(id) == State::stopping);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].cause == StopCause::cancel);
    CHECK(bed.effects<StopEffect>()[0].grace == Duration(seconds(30)));
    CHECK_FALSE(bed.scheduler->wants_start(id, 1));
    CHECK(bed.scheduler->wants_stop(id, 1));
    bed.stop_was_fence(id);
    CHECK(bed.state(id) == State::cancelled);
    CHECK(bed.of(id).stop.confirmed);
    CHECK(bed.of(id).current()->fenced);
}

TEST_CASE("a running one is cancelled when its tree is gone") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.cancel(id));
    CHECK(bed.state(id) == State::stopping);
    CHECK_FALSE(bed.of(id).stop.confirmed);
    bed.ended(id, stopped_with(AttemptOutcome::cancelled, StopCause::cancel, false));
    CHECK(bed.state(id) == State::cancelled);
    CHECK(bed.of(id).stop.confirmed);
    CHECK_FALSE(bed.of(id).stop.sigkill_sent);
}

TEST_CASE("a cancel that needed a SIGKILL ends as killed") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.cancel(id));
    bed.ended(id, stopped_with(AttemptOutcome::cancelled, StopCause::cancel, true));
    CHECK(bed.state(id) == State::killed);
    CHECK(bed.of(id).stop.sigkill_sent);
}

TEST_CASE("a kill of a running one ends as killed") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.kill(id));
    CHECK(bed.effects<StopEffect>()[0].grace == Duration(seconds(2)));
    bed.ended(id, stopped_with(AttemptOutcome::killed, StopCause::kill, true));
    CHECK(bed.state(id) == State::killed);
}

TEST_CASE("a kill shortens the grace of a cancel under way, and is told to the host") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.cancel(id));
    REQUIRE(bed.kill(id));
    CHECK(bed.state(id) == State::stopping);
    CHECK(bed.of(id).stop.cause == StopCause::kill);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].cause == StopCause::kill);
    CHECK(bed.effects<StopEffect>()[0].grace == Duration(seconds(2)));
}

TEST_CASE("repeating a stop, or asking for less, changes nothing") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.kill(id));
    REQUIRE(bed.kill(id));
    CHECK(bed.nothing_changed());
    REQUIRE(bed.cancel(id));
    CHECK(bed.nothing_changed());
    CHECK(bed.of(id).stop.cause == StopCause::kill);
    bed.ended(id, stopped_with(AttemptOutcome::killed, StopCause::kill, true));
    REQUIRE(bed.kill(id));
    CHECK(bed.nothing_changed());
}

TEST_CASE("a kill that comes after the end is a conflict") {
    StopBed bed;
    const InvocationId id = bed.running();
    bed.ended(id);
    const auto answer = bed.kill(id);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().type == "already-finished");
    CHECK(bed.nothing_changed());
}

TEST_CASE("a stop of an unknown invocation, or of another tenant's, finds nothing") {
    StopBed bed;
    const InvocationId id = bed.running();
    const StopRequest request{id, TenantName{"other"}, StopCause::kill, "api", "", {}};
    const auto answer = bed.step([&] { return bed.scheduler->stop(bed.now, request, bed.out); });
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::not_found);
    CHECK(bed.state(id) == State::running);
}

TEST_CASE("a run that ended by itself before its stop began keeps its own end") {
    for (const AttemptOutcome outcome : {AttemptOutcome::succeeded, AttemptOutcome::failed}) {
        StopBed bed;
        const InvocationId id = bed.running();
        REQUIRE(bed.cancel(id));
        bed.ended(id, outcome);
        const bool success = outcome == AttemptOutcome::succeeded;
        CHECK(bed.state(id) == (success ? State::succeeded : State::failed));
        bed.ended(id, stopped_with(AttemptOutcome::cancelled, StopCause::cancel, false));
        CHECK(bed.nothing_changed());
        CHECK(bed.said<AckEffect>());
    }
}

TEST_CASE("a refusal or a failed load while stopping confirms the stop") {
    for (const bool by_load : {false, true}) {
        StopBed bed;
        const InvocationId id = bed.submit();
        REQUIRE(bed.cancel(id));
        if (by_load)
            bed.load_failed(id);
        else
            bed.refused(id);
        CHECK(bed.state(id) == State::cancelled);
        CHECK(bed.of(id).stop.confirmed);
    }
}

TEST_CASE("what never starts within its queue TTL expires") {
    Bed bed;
    bed.function("f");
    const InvocationId id = bed.try_submit(Submit{.queue_ttl = minutes(1)})->id;
    bed.tick(seconds(59));
    CHECK(bed.state(id) == State::queued);
    bed.tick(seconds(1));
    CHECK(bed.state(id) == State::expired);
    CHECK(bed.of(id).failure->reason == FailureReason::queue_ttl);
    CHECK(bed.of(id).failure->fault == Fault::caller);
}

TEST_CASE("what still waits at its deadline expires") {
    Bed bed;
    bed.function("f");
    const InvocationId id = bed.try_submit(Submit{.deadline = bed.now + seconds(30)})->id;
    bed.tick(seconds(30));
    CHECK(bed.state(id) == State::expired);
    CHECK(bed.of(id).failure->reason == FailureReason::deadline);
}

TEST_CASE("what runs at its deadline is stopped and has timed out") {
    StopBed bed;
    const InvocationId id = bed.try_submit(Submit{.deadline = bed.now + seconds(30)})->id;
    bed.started(id);
    bed.pass(seconds(30));
    CHECK(bed.state(id) == State::stopping);
    CHECK(bed.of(id).stop.cause == StopCause::deadline);
    bed.ended(id, stopped_with(AttemptOutcome::timed_out, StopCause::deadline, false));
    CHECK(bed.state(id) == State::timed_out);
    CHECK(bed.of(id).failure->reason == FailureReason::deadline);
}

TEST_CASE("a dispatch that hangs until the deadline is stopped") {
    StopBed bed;
    const InvocationId id = bed.try_submit(Submit{.deadline = bed.now + seconds(30)})->id;
    bed.pass(seconds(30));
    CHECK(bed.state(id) == State::stopping);
    bed.stop_was_fence(id);
    CHECK(bed.state(id) == State::timed_out);
    CHECK(bed.of(id).failure->reason == FailureReason::deadline);
}

TEST_CASE("the gateway steps in when a run outlives its timeout and its grace") {
    StopBed bed;
    const InvocationId id = bed.try_submit(Submit{.timeout = minutes(1)})->id;
    bed.started(id);
    bed.pass(minutes(1) + seconds(14));
    CHECK(bed.state(id) == State::running);
    bed.pass(seconds(1));
    CHECK(bed.state(id) == State::stopping);
    CHECK(bed.of(id).stop.cause == StopCause::timeout);
    REQUIRE(bed.cancel(id));
    CHECK(bed.of(id).stop.cause == StopCause::cancel);
    bed.ended(id, stopped_with(AttemptOutcome::killed, StopCause::cancel, true));
    CHECK(bed.state(id) == State::killed);
}

TEST_CASE("the deadline raises the stop of a timeout, and nothing waits for ever after that") {
    StopBed bed;
    const InvocationId id =
        bed.try_submit(Submit{.timeout = seconds(20), .deadline = bed.now + seconds(60)})->id;
    bed.started(id);
    bed.pass(seconds(40));
    CHECK(bed.of(id).stop.cause == StopCause::timeout);
    bed.pass(seconds(20));
    CHECK(bed.of(id).stop.cause == StopCause::deadline);
    CHECK(bed.state(id) == State::stopping);
}

TEST_CASE("a cancel whose host never answers ends unconfirmed after host_grace") {
    StopBed bed;
    const InvocationId id = bed.running();
    REQUIRE(bed.cancel(id));
    bed.silence(minutes(5));
    CHECK(bed.state(id) == State::cancelled);
    CHECK_FALSE(bed.of(id).stop.confirmed);
    CHECK(bed.of(id).current()->fenced);
    CHECK(bed.effects<StopEffect>()[0].fence);
}

TEST_CASE("a cancel while the result is copied is recorded, goes to no host, and the end stands") {
    for (const bool copied : {true, false}) {
        Bed bed;
        bed.function("f");
        bed.host("h1");
        const InvocationId id = bed.submit();
        bed.take_answered(id);
        bed.started(id);
        ReportedEnd end = end_with(AttemptOutcome::succeeded);
        end.result_is_remote = true;
        bed.ended(id, end);
        REQUIRE(bed.state(id) == State::running);
        REQUIRE(bed.cancel(id));
        CHECK(bed.state(id) == State::stopping);
        CHECK(bed.records<StopIntentRecord>().size() == 1);
        CHECK_FALSE(bed.said<StopEffect>());
        CHECK_FALSE(bed.scheduler->wants_stop(id, 1));
        bed.tick(hours(1));
        CHECK(bed.state(id) == State::stopping);
        if (copied)
            bed.result_copied(id, *end.result);
        else
            bed.result_copied(id, make_error(Errc::unavailable, "gone"));
        CHECK(bed.state(id) == (copied ? State::succeeded : State::failed));
        CHECK(bed.of(id).stop.cause == StopCause::cancel);
    }
}

}  // namespace longhaul::gateway::test
