// Retries: what is tried again, when, how often; through restarts too. Guards I3 (one attempt at a
// time) by the bed, and that nothing is tried again after a cancel, a kill or the deadline.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

// Waits of 10 s, 20 s, 40 s, … exactly.
RetrySpec three_times() {
    RetrySpec retry;
    retry.max_attempts = 3;
    retry.backoff = seconds(10);
    retry.backoff_max = seconds(40);
    retry.jitter = 0;
    return retry;
}

Bed with(const RetrySpec& retry) {
    Bed bed;
    FunctionSpec spec = bed.spec("f");
    spec.retry = retry;
    bed.function(spec);
    bed.host("h1");
    return bed;
}

// Submits one, and has its first attempt fail.
InvocationId failed_once(Bed& bed, ReportedEnd end = end_with(AttemptOutcome::failed)) {
    const auto id = bed.submit();
    bed.started(id);
    bed.ended(id, std::move(end));
    return id;
}

void pass(Bed& bed, Duration time) {
    bed.tick(time);
    bed.host("h1");
}

ReportedEnd failed_by(FailureReason reason) {
    ReportedEnd end = end_with(AttemptOutcome::failed);
    end.reason = reason;
    return end;
}

}  // namespace

TEST_CASE("a failed attempt is tried again after its backoff, until one succeeds") {
    Bed bed = with(three_times());
    const auto id = failed_once(bed, failed_by(FailureReason::exit));
    CHECK(bed.state(id) == State::retrying);
    CHECK(bed.wait(id).reason == WaitReason::backoff);
    CHECK(bed.of(id).due_at == bed.now + seconds(10));
    CHECK(bed.of(id).current()->reason == FailureReason::exit);
    CHECK(bed.said<AckEffect>());
    pass(bed, seconds(9));
    CHECK(bed.state(id) == State::retrying);
    pass(bed, seconds(1));
    CHECK(bed.state(id) == State::dispatching);
    CHECK(bed.attempt(id) == 2);
    bed.started(id);
    bed.ended(id);
    CHECK(bed.state(id) == State::succeeded);
    CHECK(bed.of(id).attempts.size() == 2);
    CHECK_FALSE(bed.of(id).failure);
}

TEST_CASE("each wait is longer than the one before, up to its limit, and the last failure stands") {
    RetrySpec retry = three_times();
    retry.max_attempts = 5;
    Bed bed = with(retry);
    const auto id = failed_once(bed);
    for (const auto wait : {10, 20, 40, 40}) {
        CHECK(bed.of(id).due_at == bed.now + seconds(wait));
        pass(bed, seconds(wait));
        bed.started(id);
        bed.ended(id, AttemptOutcome::failed);
    }
    CHECK(bed.state(id) == State::failed);
    CHECK(bed.of(id).tries() == 5);
    CHECK(bed.of(id).failure->reason == FailureReason::error);
}

TEST_CASE("chance shortens a wait by at most its part, the same for each replay") {
    RetrySpec retry = three_times();
    retry.jitter = 0.5;
    bool differs = false;
    for (int number = 0; number < 100; ++number) {
        const InvocationId id{"i" + std::to_string(number)};
        const Duration wait = backoff_after(retry, id, 1);
        CHECK(wait >= seconds(5));
        CHECK(wait <= seconds(10));
        CHECK(wait == backoff_after(retry, id, 1));
        differs = differs || wait != backoff_after(retry, InvocationId{"other"}, 1);
    }
    CHECK(differs);
    CHECK(backoffs_together(retry, 5) == seconds(110));
    CHECK(backoff_after(retry, InvocationId{"a"}, 1, minutes(2)) == minutes(2));
}

TEST_CASE("only reasons of the policy are tried again") {
    RetrySpec retry = three_times();
    retry.on = set_of(FailureReason::exit);
    Bed bed = with(retry);
    CHECK(bed.state(failed_once(bed, failed_by(FailureReason::exit))) == State::retrying);
    for (const FailureReason reason :
         {FailureReason::error, FailureReason::signal, FailureReason::oom,
          FailureReason::result_too_large, FailureReason::result_lost})
        CHECK(bed.state(failed_once(bed, failed_by(reason))) == State::failed);
}

TEST_CASE("a timeout is tried again, by the runtime agent's clock or by ours") {
    Bed bed = with(three_times());
    const auto by_agent =
        failed_once(bed, stopped_with(AttemptOutcome::timed_out, StopCause::timeout, false));
    CHECK(bed.state(by_agent) == State::retrying);
    CHECK(bed.of(by_agent).current()->reason == FailureReason::timeout);
    const auto by_us = bed.submit();
    bed.started(by_us);
    while (bed.state(by_us) == State::running) pass(bed, seconds(1));
    REQUIRE(bed.state(by_us) == State::stopping);
    bed.ended(by_us, stopped_with(AttemptOutcome::timed_out, StopCause::timeout, true));
    CHECK(bed.state(by_us) == State::retrying);
    CHECK(bed.of(by_us).stop == Stop{});
}

TEST_CASE("code that does not load is tried again, and that counts as an attempt") {
    RetrySpec retry = three_times();
    retry.max_attempts = 2;
    Bed bed = with(retry);
    const auto id = bed.submit();
    bed.load_failed(id);
    CHECK(bed.state(id) == State::retrying);
    pass(bed, seconds(10));
    bed.load_failed(id);
    CHECK(bed.state(id) == State::failed);
    CHECK(bed.of(id).failure->reason == FailureReason::load);
}

TEST_CASE("the queue TTL does not end what is tried again") {
    Bed bed = with(three_times());
    const auto id = bed.try_submit(Submit{.queue_ttl = seconds(5)})->id;
    bed.load_failed(id);
    REQUIRE(bed.state(id) == State::retrying);
    pass(bed, seconds(10));
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("an attempt that certainly started nothing does not count") {
    RetrySpec retry = three_times();
    retry.max_attempts = 2;
    Bed bed = with(retry);
    const auto id = bed.submit();
    bed.refused(id);
    pass(bed, seconds(10));
    REQUIRE(bed.state(id) == State::dispatching);
    bed.started(id);
    bed.ended(id, AttemptOutcome::failed);
    CHECK(bed.state(id) == State::retrying);
}

TEST_CASE("a lost run is tried again only where the policy says so") {
    RetrySpec retry = three_times();
    if (GENERATE(false, true)) retry.on |= set_of(FailureReason::lost);
    Bed bed = with(retry);
    const auto id = bed.submit();
    bed.started(id);
    bed.now += seconds(1);
    bed.answer("h1", 1, true, {}, {id});
    const bool wanted = has(retry.on, FailureReason::lost);
    CHECK(bed.state(id) == (wanted ? State::retrying : State::failed));
    CHECK(bed.of(id).current()->fenced);
    if (!wanted) return;
    pass(bed, seconds(10));
    bed.step([&] { bed.scheduler->fence_told(bed.now, HostId{"h1"}, id, 1, bed.out); });
    CHECK(bed.attempt(id) == 2);
}

TEST_CASE("nothing is tried again after a cancel or a kill") {
    Bed bed = with(three_times());
    const auto cancelled = failed_once(bed);
    REQUIRE(bed.cancel(cancelled));
    CHECK(bed.state(cancelled) == State::cancelled);
    const auto killed = bed.submit();
    bed.started(killed);
    REQUIRE(bed.kill(killed));
    bed.ended(killed, AttemptOutcome::failed);
    CHECK(bed.state(killed) == State::failed);
}

TEST_CASE("a retry that could not begin before the deadline is none") {
    Bed bed = with(three_times());
    const auto answer = bed.try_submit(Submit{.deadline = bed.now + seconds(10)});
    REQUIRE(answer);
    bed.started(answer->id);
    bed.ended(answer->id, AttemptOutcome::failed);
    CHECK(bed.state(answer->id) == State::failed);
}

TEST_CASE("the default deadline leaves time for every attempt and every wait") {
    Bed bed = with(three_times());
    const auto id = bed.submit();
    const FunctionSpec& function = *bed.of(id).function;
    const Duration one = function.load_timeout + function.timeout + function.timeout_grace;
    CHECK(bed.of(id).deadline == bed.now + function.queue_ttl + 3 * one + seconds(30));
}

TEST_CASE("the wish of the caller stands above the function's policy") {
    Bed bed = with(three_times());
    Submit once;
    once.retry_max_attempts = 1;
    const auto answer = bed.try_submit(once);
    REQUIRE(answer);
    bed.started(answer->id);
    bed.ended(answer->id, AttemptOutcome::failed);
    CHECK(bed.state(answer->id) == State::failed);
}

TEST_CASE("the function's wish for a pause is honoured") {
    Bed bed = with(three_times());
    ReportedEnd end = end_with(AttemptOutcome::failed);
    end.retry_after = minutes(3);
    const auto id = failed_once(bed, end);
    CHECK(bed.of(id).due_at == bed.now + minutes(3));
}

TEST_CASE("a restart keeps what waits to be tried again, and until when") {
    Bed bed = with(three_times());
    const auto id = failed_once(bed);
    const auto due_at = bed.of(id).due_at;
    bed.now += seconds(4);
    bed.restart(GENERATE(std::size_t{0}, std::size_t{5}));
    bed.host("h1");
    CHECK(bed.state(id) == State::retrying);
    CHECK(bed.of(id).due_at == due_at);
    pass(bed, seconds(6));
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("what is tried again gets in line behind those that came meanwhile") {
    Bed bed;
    FunctionSpec spec = bed.spec("f");
    spec.retry = three_times();
    spec.max_running = 1;
    bed.function(spec);
    bed.host("h1");
    const auto again = failed_once(bed);
    CHECK(bed.scheduler->running_count() == 0);
    const auto runs = bed.submit();
    CHECK(bed.state(runs) == State::dispatching);
    const auto waits = bed.submit();
    bed.tick(seconds(10));
    CHECK(bed.state(again) == State::queued);
    CHECK(*bed.wait(waits).position == 1);
    CHECK(*bed.wait(again).position == 2);
    bed.restart();
    CHECK(*bed.wait(waits).position == 1);
    CHECK(*bed.wait(again).position == 2);
}

TEST_CASE("what waits to be tried again counts against the limits of its queue") {
    Bed bed;
    FunctionSpec spec = bed.spec("f");
    spec.retry = three_times();
    spec.max_queued = 1;
    bed.function(spec);
    bed.host("h1");
    const auto again = failed_once(bed);
    CHECK(bed.scheduler->timed_count() == 1);
    CHECK(bed.try_submit(Submit{}).error().type == "queue-full");
    REQUIRE(bed.cancel(again));
    CHECK(bed.scheduler->timed_count() == 0);
    CHECK(bed.try_submit(Submit{}));
}

TEST_CASE("the results of attempts that are tried again are dropped") {
    Bed bed = with(three_times());
    ReportedEnd end = end_with(AttemptOutcome::failed);
    end.result = Content{"text/plain", "", "file-7", 3, std::string(64, '0')};
    failed_once(bed, end);
    REQUIRE(bed.said<DropFileEffect>());
    CHECK(bed.effects<DropFileEffect>().front().file == "file-7");
}

TEST_CASE("a function's retries are bounded, and the document says when they are used up") {
    RetrySpec retry = three_times();
    retry.budget_ratio = 0.5;
    retry.budget_per_minute = 2;
    Bed bed = with(retry);
    // Two of the minute, and one of every two first attempts.
    CHECK(bed.state(failed_once(bed)) == State::retrying);
    CHECK(bed.state(failed_once(bed)) == State::retrying);
    CHECK(bed.state(failed_once(bed)) == State::retrying);
    CHECK(bed.state(failed_once(bed)) == State::retrying);
    const auto refused = failed_once(bed);
    CHECK(bed.state(refused) == State::failed);
    CHECK(bed.of(refused).failure->evidence.find("retry budget") != std::string::npos);
    pass(bed, minutes(1));
    CHECK(bed.state(failed_once(bed)) == State::retrying);
}

TEST_CASE("without a budget retries have no bound of their own") {
    RetrySpec retry = three_times();
    retry.budget_ratio = 0;
    retry.budget_per_minute = 0;
    Bed bed = with(retry);
    for (int number = 0; number < 100; ++number) {
        bed.host("h1", 200);
        CHECK(bed.state(failed_once(bed)) == State::retrying);
    }
}

}  // namespace longhaul::gateway::test
