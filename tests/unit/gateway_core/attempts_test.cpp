// How attempts start, fail to start and end; late and repeated news. Guards I3, I4, I5.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

struct RunningBed : Bed {
    RunningBed() {
        function("f");
        host("h1");
        id = submit();
        take_answered(id);
        started(id);
    }
    InvocationId id;
};

Content remote(std::uint64_t size) {
    return Content{"text/plain", "", "", size, std::string(64, '0')};
}

ReportedEnd success_with_remote(std::uint64_t size) {
    ReportedEnd end = end_with(AttemptOutcome::succeeded);
    end.result = remote(size);
    end.result_is_remote = true;
    return end;
}

}  // namespace

TEST_CASE("a start that is reported makes it running, with instance and time") {
    RunningBed bed;
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.of(bed.id).current()->instance == InstanceId{"instance"});
    CHECK(bed.of(bed.id).started_at == bed.now);
}

TEST_CASE("a success keeps its result, frees the slot and is acknowledged") {
    RunningBed bed;
    bed.ended(bed.id);
    CHECK(bed.state(bed.id) == State::succeeded);
    REQUIRE(bed.of(bed.id).result);
    CHECK(bed.of(bed.id).result->inline_bytes == "yes");
    CHECK_FALSE(bed.of(bed.id).failure);
    CHECK(bed.effects<AckEffect>().size() == 1);
    CHECK(bed.scheduler->running_count() == 0);
}

TEST_CASE("an end whose start was never seen counts all the same") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.ended(id, AttemptOutcome::failed);
    CHECK(bed.state(id) == State::failed);
    REQUIRE(bed.of(id).failure);
    CHECK(bed.of(id).failure->reason == FailureReason::error);
    CHECK(bed.of(id).failure->fault == Fault::function);
    CHECK(bed.of(id).failure->exit_code == 1);
}

TEST_CASE("a runtime agent that kept the deadline says so, and is believed") {
    RunningBed bed;
    ReportedEnd end;
    end.outcome = AttemptOutcome::timed_out;
    end.reason = FailureReason::deadline;
    bed.ended(bed.id, end);
    CHECK(bed.state(bed.id) == State::timed_out);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::deadline);
    CHECK(bed.of(bed.id).failure->message == "its deadline passed");
}

TEST_CASE("a run that its runtime agent timed out has timed out, without a stop of ours") {
    RunningBed bed;
    bed.ended(bed.id, AttemptOutcome::timed_out);
    CHECK(bed.state(bed.id) == State::timed_out);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::timeout);
    CHECK(bed.of(bed.id).stop.cause == StopCause::none);
}

TEST_CASE("a run that somebody on the host stopped has failed") {
    RunningBed bed;
    bed.ended(bed.id, stopped_with(AttemptOutcome::killed, StopCause::none, true));
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure);
}

TEST_CASE("a refused attempt goes back to its place in the line") {
    Bed bed;
    bed.function("f", 1);
    bed.host("h1");
    const InvocationId first = bed.submit();
    const InvocationId second = bed.submit();
    const Token token = bed.of(first).current()->token;
    bed.refused(first, RouteFailure::unreachable);
    CHECK(bed.state(first) == State::queued);
    CHECK(bed.state(second) == State::queued);
    CHECK(bed.wait(first).position == 1U);
    CHECK(bed.wait(second).position == 2U);
    bed.tick(milliseconds(200));  // the host may have room again
    CHECK(bed.state(first) == State::dispatching);
    CHECK(bed.state(second) == State::queued);
    CHECK(bed.attempt(first) == 2);
    CHECK(bed.of(first).current()->token != token);
    CHECK(bed.of(first).attempts.size() == 1);
}

TEST_CASE("route tries that are used up are a failure of the platform") {
    SchedulerLimits limits;
    limits.route_tries_max = 3;
    Bed bed{limits};
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    for (int tries = 0; tries < 2; ++tries) {
        bed.refused(id, tries == 0 ? RouteFailure::unreachable : RouteFailure::refused);
        CHECK(bed.state(id) == State::queued);
        bed.tick(milliseconds(tries == 0 ? 199 : 399));
        CHECK(bed.state(id) == State::queued);  // each try waits longer than the last
        bed.tick(milliseconds(1));
        CHECK(bed.state(id) == State::dispatching);
    }
    bed.refused(id);
    CHECK(bed.state(id) == State::failed);
    CHECK(bed.of(id).failure->reason == FailureReason::route);
    CHECK(bed.of(id).failure->fault == Fault::platform);
    CHECK(bed.of(id).failure->message.find("it said no") != std::string::npos);
}

TEST_CASE("a host that is full is no route try") {
    SchedulerLimits limits;
    limits.route_tries_max = 2;
    Bed bed{limits};
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    for (int tries = 0; tries < 20; ++tries) {
        bed.refused(id, RouteFailure::no_capacity);
        REQUIRE(bed.state(id) == State::queued);
        CHECK(bed.wait(id).reason == WaitReason::no_capacity);
        bed.tick(milliseconds(200));
        REQUIRE(bed.state(id) == State::dispatching);
    }
    CHECK(bed.of(id).route_tries == 0);
    CHECK(bed.of(id).attempts.size() == 1);
}

TEST_CASE("a load that failed is the function's own failure") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.load_failed(id);
    CHECK(bed.state(id) == State::failed);
    CHECK(bed.of(id).failure->reason == FailureReason::load);
    CHECK(bed.of(id).failure->fault == Fault::function);
}

TEST_CASE("news of an unknown invocation is answered and changes nothing") {
    RunningBed bed;
    AttemptReport stranger;
    stranger.id = InvocationId{"nobody"};
    stranger.attempt = 1;
    stranger.token = Token{"t"};
    stranger.host = HostId{"h1"};
    stranger.rank = kRankRunning;
    bed.step([&] { bed.scheduler->report(bed.now, stranger, bed.out); });
    CHECK(bed.nothing_changed());
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].fence);
    stranger.rank = kRankEnded;
    stranger.end = end_with(AttemptOutcome::succeeded);
    bed.step([&] { bed.scheduler->report(bed.now, stranger, bed.out); });
    CHECK(bed.nothing_changed());
    CHECK(bed.effects<AckEffect>().size() == 1);
}

TEST_CASE("the first end stands, a later one is acknowledged and ignored") {
    RunningBed bed;
    bed.ended(bed.id, AttemptOutcome::succeeded);
    bed.ended(bed.id, AttemptOutcome::failed);
    CHECK(bed.state(bed.id) == State::succeeded);
    CHECK(bed.nothing_changed());
    CHECK(bed.effects<AckEffect>().size() == 1);
    bed.say(bed.id, Say{});
    CHECK(bed.nothing_changed());
    CHECK(bed.effects<StopEffect>().size() == 1);  // it says that it runs: it must not
}

TEST_CASE("a report under another token counts for nothing") {
    RunningBed bed;
    bed.say(
        bed.id,
        Say{.rank = kRankEnded, .token = "another", .end = end_with(AttemptOutcome::succeeded)});
    CHECK(bed.nothing_changed());
    CHECK(bed.state(bed.id) == State::running);
    // An ack names no token: its host would forget the run that is the right one.
    CHECK_FALSE(bed.said<AckEffect>());
    bed.say(bed.id, Say{.rank = kRankRunning, .token = "another"});
    CHECK_FALSE(bed.said<StopEffect>());
}

TEST_CASE("a report of an attempt that was superseded counts for nothing") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    AttemptReport old = bed.report_of(id, Say{});
    bed.refused(id);
    bed.tick(milliseconds(200));
    REQUIRE(bed.attempt(id) == 2);
    bed.step([&] { bed.scheduler->report(bed.now, old, bed.out); });
    CHECK(bed.nothing_changed());
    CHECK(bed.state(id) == State::dispatching);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].attempt == 1);
    CHECK(bed.effects<StopEffect>()[0].fence);
}

TEST_CASE("progress is shown, and older progress is not") {
    RunningBed bed;
    AttemptReport report = bed.report_of(bed.id, Say{.version = 100});
    report.progress = Progress{50, "half", bed.now};
    bed.step([&] { bed.scheduler->report(bed.now, report, bed.out); });
    const std::uint64_t seen = bed.of(bed.id).status_version;
    CHECK(bed.of(bed.id).progress->percent == 50);
    CHECK(bed.said<ChangedEffect>());
    report.version = 99;
    report.progress = Progress{10, "earlier", bed.now};
    bed.step([&] { bed.scheduler->report(bed.now, report, bed.out); });
    CHECK(bed.of(bed.id).progress->percent == 50);
    CHECK(bed.of(bed.id).status_version == seen);
    report.rank = 2;
    report.version = 200;  // a lower rank is older, whatever its version
    bed.step([&] { bed.scheduler->report(bed.now, report, bed.out); });
    CHECK(bed.of(bed.id).progress->percent == 50);
}

TEST_CASE("a result that lies on its host is copied, and only then it has ended") {
    RunningBed bed;
    bed.ended(bed.id, success_with_remote(1000));
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.nothing_changed());
    REQUIRE(bed.effects<FetchResultEffect>().size() == 1);
    CHECK(bed.effects<FetchResultEffect>()[0].expected.size == 1000);
    CHECK_FALSE(bed.said<AckEffect>());
    Content copied = remote(1000);
    copied.file = "0123";
    bed.result_copied(bed.id, copied);
    CHECK(bed.state(bed.id) == State::succeeded);
    CHECK(bed.of(bed.id).result->file == "0123");
    CHECK(bed.said<AckEffect>());
}

TEST_CASE("no timer fires once an end was reported") {
    RunningBed bed;
    bed.ended(bed.id, success_with_remote(1000));
    bed.host("h1");
    bed.tick(seconds(9));
    CHECK(bed.nothing_changed());
    for (int hour = 0; hour < 40; ++hour) {
        bed.now += hours(1);
        bed.host("h1");
        bed.tick();
    }
    CHECK(bed.state(bed.id) == State::running);
    bed.result_copied(bed.id, remote(1000));
    CHECK(bed.state(bed.id) == State::succeeded);
}

TEST_CASE("a refusal, a failed load or a fence that comes after the end changes nothing") {
    for (const bool stops : {false, true}) {
        Bed bed;
        bed.function("f");
        bed.host("h1");
        const InvocationId id = bed.submit();
        if (stops) REQUIRE(bed.cancel(id));
        bed.ended(id, success_with_remote(1000));
        CHECK_FALSE(bed.scheduler->wants_start(id, 1));
        CHECK_FALSE(bed.scheduler->wants_stop(id, 1));
        const State before = bed.state(id);
        bed.refused(id);
        bed.load_failed(id);
        bed.stop_was_fence(id);
        CHECK(bed.state(id) == before);
        bed.result_copied(id, remote(1000));
        CHECK(bed.state(id) == State::succeeded);
    }
}

TEST_CASE("a result that cannot be had is lost, by fault of the platform") {
    RunningBed bed;
    bed.ended(bed.id, success_with_remote(1000));
    bed.result_copied(bed.id, make_error(Errc::unavailable, "the host is silent"));
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::result_lost);
    CHECK(bed.of(bed.id).failure->fault == Fault::platform);
    CHECK_FALSE(bed.of(bed.id).result);
}

TEST_CASE("the progress that comes with the end is the last one") {
    RunningBed bed;
    bed.say(bed.id, Say{.progress = Progress{5, "begun", bed.now}});
    Say end{.rank = kRankEnded, .end = end_with(AttemptOutcome::succeeded)};
    end.progress = Progress{100, "all of it", bed.now};
    bed.say(bed.id, end);
    CHECK(bed.of(bed.id).progress->percent == 100);
}

TEST_CASE("a failed run keeps its result, and its own reason where the result is lost") {
    for (const bool copied : {true, false}) {
        RunningBed bed;
        ReportedEnd end = success_with_remote(1000);
        end.outcome = AttemptOutcome::failed;
        end.reason = FailureReason::error;
        end.message = "the server answered with status 500";
        bed.ended(bed.id, end);
        if (copied)
            bed.result_copied(bed.id, remote(1000));
        else
            bed.result_copied(bed.id, make_error(Errc::unavailable, "the host is silent"));
        CHECK(bed.state(bed.id) == State::failed);
        CHECK(bed.of(bed.id).failure->reason == FailureReason::error);
        CHECK(bed.of(bed.id).result.has_value() == copied);
    }
}

TEST_CASE("a result beyond result_max is not fetched, and the function's fault") {
    RunningBed bed;
    bed.ended(bed.id, success_with_remote((6u << 20) + 1));
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::result_too_large);
    CHECK(bed.of(bed.id).failure->fault == Fault::function);
    CHECK(bed.of(bed.id).failure->message.find("6291456") != std::string::npos);
    CHECK_FALSE(bed.said<FetchResultEffect>());
}

TEST_CASE("a copy that nobody waits for is dropped") {
    RunningBed bed;
    bed.ended(bed.id);
    Content copied = remote(10);
    copied.file = "0123";
    bed.result_copied(bed.id, copied);
    CHECK(bed.nothing_changed());
    REQUIRE(bed.effects<DropFileEffect>().size() == 1);
    CHECK(bed.effects<DropFileEffect>()[0].file == "0123");
}

TEST_CASE("the file of a body is kept after the end, for a retry, unless told otherwise") {
    SchedulerLimits limits;
    limits.keep_bodies = GENERATE(true, false);
    Bed bed{limits};
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.try_submit(Submit{.body_file = "0f0f"})->id;
    bed.refused(id);
    CHECK_FALSE(bed.said<DropFileEffect>());
    bed.tick(milliseconds(200));
    bed.ended(id);
    CHECK(bed.said<DropFileEffect>() == !limits.keep_bodies);
}

TEST_CASE("tokens are never the same twice") {
    Bed bed;
    bed.function("f", 100'000);
    bed.host("h1", 100'000);
    std::map<std::string, int> tokens;
    for (int count = 0; count < 500; ++count) ++tokens[bed.of(bed.submit()).current()->token.text];
    bed.restart();
    for (int count = 0; count < 500; ++count) {
        const InvocationId id = bed.submit();
        if (bed.state(id) == State::dispatching) ++tokens[bed.of(id).current()->token.text];
        if (count == 0) bed.host("h1", 100'000);
    }
    for (const auto& [token, count] : tokens) REQUIRE(count == 1);
}

}  // namespace longhaul::gateway::test
