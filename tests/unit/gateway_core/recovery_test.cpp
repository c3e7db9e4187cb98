// A new process over the same records. Guards I1, I3 and "a run must not notice it".
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

// One invocation in every state that a record can leave it in.
struct WideBed : Bed {
    WideBed() {
        function("f", 3);
        host("h1");
        ended_one = submit();
        ended(ended_one);
        dispatching = submit();
        running = submit();
        take_answered(running);
        started(running);
        stopping = submit();
        take_answered(stopping);
        started(stopping);
        static_cast<void>(cancel(stopping).has_value());
        first = try_submit(Submit{.key = "k"})->id;
        now += seconds(1);
        second = submit();
    }
    InvocationId ended_one, dispatching, running, stopping, first, second;
};

}  // namespace

TEST_CASE("the owner term rises by one, before everything else") {
    Bed bed;
    CHECK(bed.scheduler->owner_term() == 1);
    bed.function("f");
    bed.submit();
    for (OwnerTerm term = 2; term < 5; ++term) {
        bed.restart();
        CHECK(bed.scheduler->owner_term() == term);
        REQUIRE_FALSE(bed.out.records.empty());
        REQUIRE(std::holds_alternative<OwnerTermRecord>(bed.out.records.front()));
        CHECK(bed.records<OwnerTermRecord>()[0].term == term);
    }
}

TEST_CASE("queues, slots, keys and limits are the same again, however much the view had") {
    const std::size_t all = WideBed{}.journal.size();
    for (std::size_t from_view = 0; from_view <= all; ++from_view) {
        WideBed bed;
        bed.restart(from_view);
        INFO("the view had " << from_view << " records");
        CHECK(bed.state(bed.dispatching) == State::dispatching);
        CHECK(bed.state(bed.running) == State::running);
        CHECK(bed.state(bed.stopping) == State::stopping);
        CHECK(bed.scheduler->running_count() == 3);
        CHECK(bed.scheduler->waiting_count() == 2);
        CHECK(bed.wait(bed.first).position == 1U);
        CHECK(bed.wait(bed.second).position == 2U);
        CHECK(bed.wait(bed.first).reason == WaitReason::function_limit);
        CHECK(bed.scheduler->find_key(kTenant, FunctionName{"f"}, "k") == bed.first);
        CHECK(bed.try_submit(Submit{.key = "k"})->replayed);
    }
}

TEST_CASE("a run that its host still has is adopted, untouched") {
    WideBed bed;
    bed.restart();
    bed.host("h1");
    REQUIRE(bed.effects<AskEffect>().size() == 1);
    CHECK(bed.scheduler->hosts().find(HostId{"h1"})->attempts.size() == 3);
    bed.answer("h1", 1, true, {bed.report_of(bed.running, Say{})}, {});
    CHECK(bed.state(bed.running) == State::running);
    CHECK_FALSE(bed.said<StopEffect>());
    CHECK_FALSE(bed.said<StartEffect>());
    CHECK(bed.nothing_changed());
    bed.ended(bed.running);
    CHECK(bed.state(bed.running) == State::succeeded);
    CHECK(bed.state(bed.first) == State::dispatching);
}

TEST_CASE("a dispatch that its host never saw is sent again under the same attempt and token") {
    WideBed bed;
    const Attempt before = *bed.of(bed.dispatching).current();
    bed.restart();
    bed.host("h1");
    bed.answer("h1", 1, true, {}, {bed.dispatching});
    REQUIRE(bed.effects<StartEffect>().size() == 1);
    CHECK(bed.effects<StartEffect>()[0].attempt == before.number);
    CHECK(bed.effects<StartEffect>()[0].token == before.token);
    CHECK(bed.nothing_changed());
}

TEST_CASE("a dispatch that its host has taken but not started is sent again") {
    WideBed bed;
    bed.restart();
    bed.host("h1");
    bed.answer("h1", 1, true, {bed.report_of(bed.dispatching, Say{.rank = 1})}, {});
    REQUIRE(bed.effects<StartEffect>().size() == 1);
    CHECK(bed.state(bed.dispatching) == State::dispatching);
}

// Found by the torture test: the host died before it was asked again, which looked like a refusal,
// and the invocation was run a second time elsewhere (I3).
TEST_CASE("what its host has taken may have started: no refusal of its repetition is a proof") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    CHECK_FALSE(bed.effects<StartEffect>()[0].is_repeat);
    bed.restart();
    bed.host("h1");
    bed.answer("h1", 1, true, {bed.report_of(id, Say{.rank = 1})}, {});
    REQUIRE(bed.effects<StartEffect>().size() == 1);
    CHECK(bed.effects<StartEffect>()[0].is_repeat);
}

TEST_CASE("what its runtime agent has begun is not started again by older news of its host") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.take_answered(id);
    bed.say(id, Say{.rank = kRankStarting, .version = 1});
    CHECK(bed.state(id) == State::dispatching);
    bed.answer("h1", 1, true, {bed.report_of(id, Say{.rank = 1})}, {});
    CHECK_FALSE(bed.said<StartEffect>());
}

TEST_CASE("a run that a complete host does not know after a restart is lost") {
    WideBed bed;
    bed.restart();
    bed.host("h1", 100, 2);
    bed.answer("h1", 2, true, {}, {bed.running});
    CHECK(bed.state(bed.running) == State::failed);
    CHECK(bed.of(bed.running).failure->reason == FailureReason::lost);
    CHECK_FALSE(bed.of(bed.running).failure->evidence.empty());
}

TEST_CASE("a stop under way is sent again to the host that has the run, and to one that has not") {
    for (const bool known : {true, false}) {
        WideBed bed;
        bed.restart();
        bed.host("h1");
        if (known)
            bed.answer("h1", 1, true, {bed.report_of(bed.stopping, Say{})}, {});
        else
            bed.answer("h1", 1, true, {}, {bed.stopping});
        REQUIRE(bed.effects<StopEffect>().size() == 1);
        CHECK(bed.effects<StopEffect>()[0].cause == StopCause::cancel);
        CHECK_FALSE(bed.effects<StopEffect>()[0].fence);
    }
}

TEST_CASE("an end that came while nobody listened is taken in from the answer") {
    WideBed bed;
    bed.restart();
    bed.host("h1");
    bed.answer("h1", 1, true,
               {bed.report_of(bed.running,
                              Say{.rank = kRankEnded, .end = end_with(AttemptOutcome::succeeded)})},
               {});
    CHECK(bed.state(bed.running) == State::succeeded);
    CHECK(bed.said<AckEffect>());
}

TEST_CASE("a host that never comes back after a restart has host_grace from the restart") {
    WideBed bed;
    bed.now += hours(1);
    bed.restart();
    const TimePoint begun = bed.now;
    bed.tick();
    CHECK(bed.state(bed.dispatching) == State::dispatching);
    bed.silence(minutes(5) - seconds(1));
    CHECK(bed.state(bed.dispatching) == State::dispatching);
    bed.tick(seconds(1));
    CHECK(bed.now == begun + minutes(5));
    CHECK(bed.state(bed.dispatching) == State::failed);
    CHECK(bed.state(bed.stopping) == State::cancelled);
    CHECK_FALSE(bed.of(bed.stopping).stop.confirmed);
}

TEST_CASE(
    "a start that was long ago, heard of before its host is known, does not make the host gone") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    const TimePoint started_at = bed.now;
    bed.now += minutes(10);  // the gateway was down
    bed.restart();
    bed.say(id, Say{.started_at = started_at});
    REQUIRE(bed.state(id) == State::running);
    bed.tick();
    CHECK(bed.state(id) == State::running);
}

TEST_CASE("what became due while nobody was there is done at once") {
    Bed bed;
    bed.function("f");
    const InvocationId id = bed.try_submit(Submit{.queue_ttl = minutes(1)})->id;
    bed.now += hours(1);
    bed.restart();
    bed.tick();
    CHECK(bed.state(id) == State::expired);
}

TEST_CASE("paused queues and the newest function are remembered") {
    Bed bed;
    bed.function("f", 1);
    bed.function("f", 7);
    bed.function("gone");
    bed.step(
        [&] { REQUIRE(bed.scheduler->pause(bed.now, kTenant, FunctionName{"f"}, true, bed.out)); });
    bed.step([&] {
        REQUIRE(bed.scheduler->delete_function(bed.now, kTenant, FunctionName{"gone"}, bed.out));
    });
    bed.restart();
    const FunctionQueue* queue = bed.scheduler->function(kTenant, FunctionName{"f"});
    REQUIRE(queue != nullptr);
    CHECK(queue->paused);
    CHECK(queue->current->max_running == 7);
    CHECK(bed.scheduler->function(kTenant, FunctionName{"gone"}) == nullptr);
}

TEST_CASE("limits that were recorded hold after a restart") {
    Bed bed;
    bed.journal.push_back(LimitsPutRecord{RunLimits{5, 2}});
    bed.restart();
    CHECK(bed.scheduler->run_limits() == RunLimits{5, 2});
}

}  // namespace longhaul::gateway::test
