// Silence, return and loss of hosts: death needs evidence.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

struct HostBed : Bed {
    HostBed() {
        function("f");
        host("h1");
        id = submit();
        take_answered(id);
        started(id);
    }
    InvocationId id;
};

}  // namespace

TEST_CASE("a silent host makes its runs suspect and nothing more") {
    HostBed bed;
    bed.tick(seconds(10));
    CHECK(bed.of(bed.id).suspect);
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.said<ChangedEffect>());
    CHECK(bed.nothing_changed());
}

TEST_CASE("an announcement heals what was suspect, and asks") {
    HostBed bed;
    bed.tick(seconds(10));
    bed.host("h1");
    CHECK_FALSE(bed.of(bed.id).suspect);
    REQUIRE(bed.effects<AskEffect>().size() == 1);
    CHECK(bed.scheduler->question(HostId{"h1"})->kind == Question::snapshot);
}

TEST_CASE("a silent function makes its run suspect, until it is heard") {
    HostBed bed;
    bed.say(bed.id, Say{.silent = true});
    CHECK(bed.of(bed.id).suspect);
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.nothing_changed());
    bed.say(bed.id, Say{});
    CHECK_FALSE(bed.of(bed.id).suspect);
}

TEST_CASE("a host that is heard again does not speak for its functions") {
    HostBed bed;
    bed.say(bed.id, Say{.silent = true});
    bed.tick(seconds(10));
    bed.host("h1");
    CHECK(bed.of(bed.id).suspect);
}

TEST_CASE("a batch of status heals what was suspect") {
    HostBed bed;
    bed.tick(seconds(10));
    REQUIRE(bed.of(bed.id).suspect);
    bed.step([&] { bed.scheduler->host_batch(bed.now, HostId{"h1"}, 1, 1, 2, bed.out); });
    CHECK_FALSE(bed.of(bed.id).suspect);
    CHECK(bed.said<ChangedEffect>());
    bed.host("h1");
    CHECK_FALSE(bed.of(bed.id).suspect);
}

TEST_CASE("an announcement of an older epoch heals nothing") {
    Bed bed;
    bed.function("f");
    bed.host("h1", 100, 2);
    const InvocationId id = bed.submit();
    bed.started(id);
    bed.tick(seconds(10));
    bed.host("h1", 100, 1);
    CHECK(bed.of(id).suspect);
}

TEST_CASE("what goes back to the line is no longer suspect") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.tick(seconds(10));
    REQUIRE(bed.of(id).suspect);
    bed.refused(id);
    CHECK(bed.state(id) == State::queued);
    CHECK_FALSE(bed.of(id).suspect);
}

TEST_CASE("a host that is silent beyond host_grace has lost its runs, which are fenced") {
    HostBed bed;
    bed.silence(minutes(5) - seconds(1));
    CHECK(bed.state(bed.id) == State::running);
    bed.tick(seconds(1));
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::lost);
    CHECK(bed.of(bed.id).failure->fault == Fault::platform);
    CHECK(bed.of(bed.id).failure->evidence.find("silent") != std::string::npos);
    CHECK(bed.records<FencedRecord>().size() == 1);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].fence);
    bed.say(bed.id, Say{});  // it runs after all: too late
    CHECK(bed.nothing_changed());
    CHECK(bed.effects<StopEffect>()[0].fence);
}

TEST_CASE("what had ended is not lost with its host, but its result is") {
    HostBed bed;
    ReportedEnd end = end_with(AttemptOutcome::succeeded);
    end.result = Content{"text/plain", "", "", 1000, std::string(64, '0')};
    end.result_is_remote = true;
    bed.ended(bed.id, end);
    bed.silence(minutes(5));
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::result_lost);
    CHECK(bed.records<FencedRecord>().empty());
}

TEST_CASE("a gateway that stood still for longer than host_grace lets its hosts speak first") {
    HostBed bed;
    bed.tick(minutes(10));
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.of(bed.id).suspect);
    bed.host("h1");
    bed.tick();
    CHECK(bed.state(bed.id) == State::running);
    CHECK_FALSE(bed.of(bed.id).suspect);
}

TEST_CASE("a restarted host is asked, and a run it does not know is lost, with evidence") {
    HostBed bed;
    bed.now += seconds(1);
    bed.host("h1", 100, 2);
    REQUIRE(bed.said<AskEffect>());
    bed.answer("h1", 2, true, {}, {bed.id});
    CHECK(bed.state(bed.id) == State::failed);
    CHECK(bed.of(bed.id).failure->reason == FailureReason::lost);
    CHECK(bed.of(bed.id).failure->evidence.find("epoch 2") != std::string::npos);
}

TEST_CASE("a host that has not found all its instances is asked again") {
    HostBed bed;
    bed.now += seconds(1);
    bed.host("h1", 100, 2);
    bed.answer("h1", 2, false, {}, {bed.id});
    CHECK(bed.state(bed.id) == State::running);
    CHECK(bed.scheduler->next_deadline() == bed.now + seconds(1));
    bed.tick(seconds(1));
    REQUIRE(bed.said<AskEffect>());
    bed.answer("h1", 2, true, {bed.report_of(bed.id, Say{})}, {});
    CHECK(bed.state(bed.id) == State::running);
}

TEST_CASE("absence is no evidence for what the host had not answered before it was asked") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.answer("h1", 1, true, {}, {id});
    CHECK(bed.state(id) == State::dispatching);
    HostAnswer answer;
    answer.host = HostId{"h1"};
    answer.epoch = 1;
    answer.complete = true;
    answer.asked_at = bed.now;
    answer.unknown.emplace_back(id, 1);
    bed.now += seconds(1);
    bed.take_answered(id);
    bed.started(id);
    bed.step([&] { bed.scheduler->host_answered(bed.now, answer, bed.out); });
    CHECK(bed.state(id) == State::running);
}

TEST_CASE("an answer of an older epoch is no answer, and the question is put again") {
    HostBed bed;
    bed.now += seconds(1);
    bed.host("h1", 100, 2);
    bed.answer("h1", 1, true, {}, {bed.id});
    CHECK(bed.state(bed.id) == State::running);
    bed.tick(seconds(1));
    CHECK(bed.said<AskEffect>());
}

TEST_CASE("a question that could not be asked is asked again") {
    HostBed bed;
    bed.step([&] { bed.scheduler->host_silent(bed.now, HostId{"h1"}); });
    bed.tick(seconds(1));
    CHECK(bed.said<AskEffect>());
}

TEST_CASE("after news may have been missed every host with attempts is asked, and no other") {
    HostBed bed;
    bed.host("h2");
    bed.step([&] { bed.scheduler->ask_all(bed.now, bed.out); });
    REQUIRE(bed.effects<AskEffect>().size() == 1);
    CHECK(bed.effects<AskEffect>()[0].host == HostId{"h1"});
    CHECK(bed.nothing_changed());
}

TEST_CASE("a stop that a restarted host does not know is sent again, as a fence") {
    HostBed bed;
    REQUIRE(bed.cancel(bed.id));
    bed.now += seconds(1);
    bed.host("h1", 100, 2);
    bed.answer("h1", 2, true, {}, {bed.id});
    CHECK(bed.state(bed.id) == State::stopping);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    bed.stop_was_fence(bed.id);
    CHECK(bed.state(bed.id) == State::cancelled);
}

TEST_CASE("a digest that differs twice makes the host tell everything, one that agrees nothing") {
    HostBed bed;
    const HostId h1{"h1"};
    bed.answer("h1", 1, true, {bed.report_of(bed.id, Say{})}, {});
    REQUIRE_FALSE(bed.scheduler->question(h1));
    HostNews news = bed.scheduler->hosts().find(h1)->news;
    news.digest.emplace().add(bed.id, 1, kRankRunning);
    bed.announce(news);
    CHECK_FALSE(bed.said<AskEffect>());
    const AttemptDigest agrees = *news.digest;
    news.digest->add(InvocationId{"something else"}, 1, kRankEnded);
    for (const bool still_differs : {false, true}) {
        bed.announce(news);
        CHECK_FALSE(bed.said<AskEffect>());  // it may be on its way
        bed.tick(seconds(2));
        REQUIRE(bed.said<AskEffect>());
        REQUIRE(bed.scheduler->question(h1)->kind == Question::digest);
        HostAnswer answer;
        answer.host = h1;
        answer.epoch = 1;
        answer.complete = true;
        answer.asked = Question::digest;
        answer.digest = still_differs ? *news.digest : agrees;
        bed.step([&] { bed.scheduler->host_answered(bed.now, answer, bed.out); });
        const auto next = bed.scheduler->question(h1);
        CHECK(next.has_value() == still_differs);
        if (next) CHECK(next->kind == Question::snapshot);
    }
}

TEST_CASE("an end that nobody knows any more is acknowledged once the view agrees") {
    HostBed bed;
    bed.ended(bed.id);
    REQUIRE(bed.effects<AckEffect>().size() == 1);
    CHECK_FALSE(bed.effects<AckEffect>()[0].is_forgotten);
    AttemptReport late = bed.report_of(bed.id, Say{.rank = kRankEnded, .attempt = 1});
    late.end = end_with(AttemptOutcome::succeeded);
    bed.step([&] { bed.scheduler->report(bed.now, late, bed.out); });
    REQUIRE(bed.effects<AckEffect>().size() == 1);
    CHECK_FALSE(bed.effects<AckEffect>()[0].is_forgotten);
    bed.scheduler->forget(bed.id);
    bed.step([&] { bed.scheduler->report(bed.now, late, bed.out); });
    REQUIRE(bed.effects<AckEffect>().size() == 1);
    CHECK(bed.effects<AckEffect>()[0].is_forgotten);
    CHECK(bed.nothing_changed());
}

TEST_CASE("a restarted gateway asks every host for what it keeps, needed or not") {
    HostBed bed;
    bed.ended(bed.id);
    bed.restart();
    bed.host("h1");
    REQUIRE(bed.effects<AskEffect>().size() == 1);
    CHECK(bed.scheduler->question(HostId{"h1"})->kind == Question::snapshot);
    AttemptReport kept = bed.report_of(bed.id, Say{.rank = kRankEnded, .attempt = 1});
    kept.end = end_with(AttemptOutcome::succeeded);
    bed.answer("h1", 1, true, {kept}, {});
    CHECK(bed.effects<AckEffect>().size() == 1);
}

TEST_CASE("a fence that was not told comes first when its host is back, and work only after it") {
    HostBed bed;
    bed.silence(minutes(5));
    REQUIRE(bed.state(bed.id) == State::failed);
    const InvocationId waiting = bed.submit();
    CHECK(bed.state(waiting) == State::queued);
    bed.host("h1", 100, 2);
    REQUIRE(bed.effects<StopEffect>().size() == 1);
    CHECK(bed.effects<StopEffect>()[0].fence);
    CHECK(bed.effects<StopEffect>()[0].id == bed.id);
    CHECK(std::holds_alternative<StopEffect>(bed.out.effects.at(0)));
    CHECK(bed.state(waiting) == State::queued);
    CHECK(bed.wait(waiting).reason == WaitReason::no_capacity);
    CHECK(bed.scheduler->owes_fence(HostId{"h1"}, bed.id, 1));
    bed.step([&] { bed.scheduler->fence_told(bed.now, HostId{"h1"}, bed.id, 1, bed.out); });
    CHECK(bed.state(waiting) == State::dispatching);
    CHECK_FALSE(bed.scheduler->owes_fence(HostId{"h1"}, bed.id, 1));
}

TEST_CASE("a host that refused is avoided for that invocation alone") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    bed.host("h2");
    const InvocationId id = bed.submit();
    REQUIRE(bed.of(id).current()->host.text == "h1");
    bed.refused(id, RouteFailure::refused);
    CHECK(bed.state(id) == State::dispatching);  // at once, on the other one
    CHECK(bed.of(id).current()->host.text == "h2");
    const InvocationId other = bed.submit();
    CHECK(bed.of(other).current()->host.text == "h1");
    bed.refused(id, RouteFailure::refused);
    CHECK(bed.state(id) == State::queued);
    CHECK(bed.wait(id).reason == WaitReason::backoff);
    const InvocationId third = bed.submit();
    CHECK(bed.state(third) == State::dispatching);  // it lets others pass
    CHECK(bed.wait(id).position == 1U);
    CHECK(bed.scheduler->next_deadline() == bed.now + milliseconds(200));
    bed.tick(milliseconds(200));
    CHECK(bed.state(id) == State::dispatching);
    CHECK(bed.of(id).current()->host.text == "h1");
    CHECK(bed.of(id).route_tries == 2);
}

TEST_CASE("announcements that bring no room do not look at who waits") {
    Bed bed;
    bed.function("f");
    bed.host("h1", 1);
    bed.submit();
    const InvocationId waiting = bed.submit();
    bed.host("h1", 1, 1);
    CHECK(bed.state(waiting) == State::queued);
    bed.host("h1", 2);
    CHECK(bed.state(waiting) == State::dispatching);
}

TEST_CASE("work goes to another host while one is silent") {
    Bed bed;
    bed.function("f");
    bed.host("h1", 1);
    bed.submit();
    const InvocationId waiting = bed.submit();
    CHECK(bed.wait(waiting).reason == WaitReason::no_capacity);
    bed.tick(seconds(11));
    CHECK(bed.state(waiting) == State::queued);
    bed.host("h2", 1);
    CHECK(bed.of(waiting).current()->host == HostId{"h2"});
}

TEST_CASE("no slot is granted on a host while the order to drain is on its way") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    bed.step([&] { bed.scheduler->hold_host(HostId{"h1"}); });
    const InvocationId waiting = bed.submit();
    CHECK(bed.state(waiting) == State::queued);
    CHECK(bed.wait(waiting).reason == WaitReason::no_capacity);
    // News that left the host before it had the order.
    bed.host("h1");
    CHECK(bed.state(waiting) == State::queued);
    bed.step([&] { bed.scheduler->drain_answered(bed.now, HostId{"h1"}, true, bed.out); });
    CHECK(bed.state(waiting) == State::queued);
    bed.step([&] { bed.scheduler->drain_answered(bed.now, HostId{"h1"}, false, bed.out); });
    CHECK(bed.state(waiting) == State::dispatching);
}

TEST_CASE("a host that the order to drain did not reach gets work again") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    bed.step([&] { bed.scheduler->hold_host(HostId{"h1"}); });
    const InvocationId waiting = bed.submit();
    bed.step([&] { bed.scheduler->drain_answered(bed.now, HostId{"h1"}, {}, bed.out); });
    CHECK(bed.state(waiting) == State::dispatching);
}

TEST_CASE("a run that the drain of its host stopped has failed as lost, with the evidence") {
    HostBed bed;
    ReportedEnd end;
    end.outcome = AttemptOutcome::lost;
    end.reason = FailureReason::lost;
    end.message = "stopped by the drain of host h1";
    end.tree_gone = true;
    bed.ended(bed.id, end);
    CHECK(bed.state(bed.id) == State::failed);
    const auto& failure = bed.of(bed.id).failure;
    REQUIRE(failure.has_value());
    CHECK(failure->reason == FailureReason::lost);
    CHECK(failure->fault == Fault::platform);
    CHECK(failure->evidence == "stopped by the drain of host h1");
}

TEST_CASE("a host that moved is spoken to at its new address") {
    HostBed bed;
    HostNews news;
    news.host = HostId{"h1"};
    news.epoch = 2;
    news.address = "elsewhere:1";
    news.memory_mb = 1000;
    news.instances_max = 10;
    bed.announce(news);
    CHECK(bed.said<AskEffect>());
    CHECK(bed.scheduler->question(HostId{"h1"})->address == "elsewhere:1");
    REQUIRE(bed.cancel(bed.id));
    CHECK(bed.effects<StopEffect>()[0].host_address == "elsewhere:1");
}

}  // namespace longhaul::gateway::test
