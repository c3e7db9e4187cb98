// Leases of idle instances: used once, never durable, no evidence of anything.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

struct LeaseBed : Bed {
    explicit LeaseBed(SchedulerLimits with = {}) : Bed(with) {
        function("f", 2);
        host("h1");
    }

    // A run to its end, with which its host leases the instance.
    // The runtime agent has answered the start; its host has said nothing.
    void start_answered(const InvocationId& id) {
        AttemptReport report = report_of(id, Say{.started_at = now});
        report.instance = of(id).current()->instance;
        step([&] { scheduler->started_under_lease(now, std::move(report), out); });
    }

    // The host names nothing of ours.
    void answer_snapshot(const std::string& name, Epoch epoch) {
        HostAnswer answer;
        answer.host = HostId{name};
        answer.epoch = epoch;
        answer.complete = true;
        answer.asked_at = now;
        answer.asked = Question::snapshot;
        step([&] { scheduler->host_answered(now, answer, out); });
    }

    InvocationId run_and_lease(const std::string& instance, Duration left = seconds(10)) {
        const InvocationId id = submit();
        started(id);
        end_with_lease(id, instance, left);
        return id;
    }

    void end_with_lease(const InvocationId& id, const std::string& instance,
                        Duration left = seconds(10)) {
        AttemptReport report = report_of(
            id,
            Say{.rank = kRankEnded, .version = 1000, .end = end_with(AttemptOutcome::succeeded)});
        report.instance = InstanceId{instance};
        report.lease = OfferedLease{"127.0.0.1:40000", "token-of-" + instance, left};
        step([&] { scheduler->report(now, std::move(report), out); });
    }

    StartEffect start() {
        const auto found = effects<StartEffect>();
        REQUIRE(found.size() == 1);
        return found[0];
    }
};

}  // namespace

TEST_CASE("the next run of the same function goes under the lease, which is used once") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    CHECK(bed.scheduler->leases().size() == 1);
    const InvocationId id = bed.submit();
    const StartEffect start = bed.start();
    REQUIRE(start.lease);
    CHECK(start.lease->address == "127.0.0.1:40000");
    CHECK(start.lease->run_token == "token-of-i1");
    CHECK(start.instance.text == "i1");
    CHECK(start.host.text == "h1");
    CHECK(bed.of(id).current()->instance.text == "i1");
    CHECK(bed.mirror.at(id).current()->instance.text == "i1");  // durable with the dispatch
    bed.submit();
    CHECK_FALSE(bed.start().lease);
    CHECK(bed.start().instance.empty());
}

TEST_CASE("what waits rides on the lease of the run that made room for it") {
    LeaseBed bed;
    const InvocationId first = bed.submit();
    const InvocationId second = bed.submit();
    const InvocationId third = bed.submit();
    REQUIRE(bed.state(third) == State::queued);
    bed.started(first);
    bed.started(second);
    bed.end_with_lease(second, "i2");
    CHECK(bed.state(third) == State::dispatching);
    REQUIRE(bed.start().lease);
    CHECK(bed.start().instance.text == "i2");
}

TEST_CASE("a lease is used no later than its margin before it lapses") {
    LeaseBed bed;
    bed.run_and_lease("i1", seconds(10));
    bed.tick(bed.limits.hosts.suspect_after - seconds(1));
    bed.tick(milliseconds(600));
    bed.host("h1");
    bed.submit();
    CHECK_FALSE(bed.start().lease);
    bed.run_and_lease("i2", bed.limits.lease_margin);
    CHECK(bed.scheduler->leases().size() == 0);
}

TEST_CASE("a lease is for exactly the code that is loaded") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    FunctionSpec next = bed.spec("f");
    next.version = Digest{"sha256:" + std::string(64, 'b')};
    bed.function(next);
    bed.submit();
    CHECK_FALSE(bed.start().lease);
    bed.function("g");
    bed.submit("g");
    CHECK_FALSE(bed.start().lease);
}

TEST_CASE("a lease is dropped when its host drains, is silent, or begins a new epoch") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    SECTION("drains") {
        HostNews news = bed.scheduler->hosts().find(HostId{"h1"})->news;
        news.draining = true;
        bed.announce(news);
        const InvocationId id = bed.submit();
        CHECK(bed.state(id) == State::queued);
    }
    SECTION("is silent") {
        LeaseBed other;
        other.run_and_lease("i1", minutes(1));
        other.tick(seconds(10));
        other.host("h2");
        other.submit();
        CHECK(other.start().host.text == "h2");
    }
    SECTION("begins a new epoch") {
        bed.host("h1", 100, 2);
        bed.submit();
        CHECK_FALSE(bed.start().lease);
    }
}

TEST_CASE("leases are not taken where they are not to be used") {
    SchedulerLimits limits;
    limits.use_leases = false;
    LeaseBed bed(limits);
    bed.run_and_lease("i1");
    bed.submit();
    CHECK_FALSE(bed.start().lease);
}

TEST_CASE("late news brings no lease") {
    LeaseBed bed;
    const InvocationId id = bed.run_and_lease("i1");
    bed.submit();
    AttemptReport again = bed.report_of(
        id, Say{.rank = kRankEnded, .version = 2000, .end = end_with(AttemptOutcome::succeeded)});
    again.lease = OfferedLease{"127.0.0.1:40000", "token-of-i1", seconds(10)};
    bed.step([&] { bed.scheduler->report(bed.now, std::move(again), bed.out); });
    CHECK(bed.scheduler->leases().size() == 0);
}

TEST_CASE("stops, fences and questions name the instance that the run was sent to") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    const InvocationId id = bed.submit();
    SECTION("a stop") {
        REQUIRE(bed.kill(id));
        REQUIRE(bed.effects<StopEffect>().size() == 1);
        CHECK(bed.effects<StopEffect>()[0].instance.text == "i1");
    }
    SECTION("a question") {
        bed.host("h1", 100, 2);
        bed.answer_snapshot("h1", 2);
        const auto question = bed.scheduler->question(HostId{"h1"});
        REQUIRE(question);
        CHECK(question->kind == Question::named);
        CHECK(question->instances == std::vector<InstanceId>{InstanceId{"i1"}});
    }
    SECTION("a fence") {
        bed.silence(minutes(6));
        CHECK(bed.state(id) == State::failed);
    }
}

TEST_CASE("a start under a lease is no evidence before it was answered") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    const InvocationId id = bed.submit();
    bed.answer("h1", 1, true, {}, {id});
    CHECK_FALSE(bed.said<StartEffect>());
    bed.started(id);  // by the runtime agent's own answer
    const TimePoint before = bed.now - seconds(1);
    HostAnswer answer;
    answer.host = HostId{"h1"};
    answer.epoch = 1;
    answer.complete = true;
    answer.asked_at = before;
    answer.asked = Question::named;
    answer.unknown.emplace_back(id, bed.attempt(id));
    bed.step([&] { bed.scheduler->host_answered(bed.now, answer, bed.out); });
    CHECK(bed.state(id) == State::running);
    bed.tick(bed.limits.ask_again);  // and is asked about again
    CHECK(bed.said<AskEffect>());
    bed.answer("h1", 1, true, {}, {id});
    CHECK(bed.state(id) == State::failed);
}

TEST_CASE("an instance that died after its answer, before its host heard, is found out") {
    LeaseBed bed;
    bed.answer_snapshot("h1", 1);
    bed.run_and_lease("i1");
    const InvocationId id = bed.submit();
    REQUIRE(bed.start().lease);
    bed.start_answered(id);
    CHECK(bed.state(id) == State::running);
    bed.tick(bed.limits.ask_again);
    REQUIRE(bed.effects<AskEffect>().size() == 1);
    const auto question = bed.scheduler->question(HostId{"h1"});
    REQUIRE(question);
    CHECK(question->kind == Question::named);
    CHECK(question->names == std::vector<AttemptName>{{id, bed.attempt(id)}});
    CHECK(question->instances == std::vector<InstanceId>{InstanceId{"i1"}});
    HostAnswer answer;
    answer.host = HostId{"h1"};
    answer.epoch = 1;
    answer.complete = true;
    answer.asked_at = bed.now;
    answer.asked = Question::named;
    answer.unknown = question->names;
    bed.step([&] { bed.scheduler->host_answered(bed.now, answer, bed.out); });
    CHECK(bed.state(id) == State::failed);
    CHECK_FALSE(bed.scheduler->question(HostId{"h1"}));
}

TEST_CASE("a host that tells of a start under a lease in time is not asked") {
    LeaseBed bed;
    bed.answer_snapshot("h1", 1);
    bed.run_and_lease("i1");
    const InvocationId id = bed.submit();
    SECTION("after the runtime agent") {
        bed.start_answered(id);
        bed.started(id);
    }
    SECTION("before it") {
        bed.started(id);
        bed.start_answered(id);
    }
    bed.tick(bed.limits.ask_again);
    CHECK_FALSE(bed.said<AskEffect>());
    CHECK_FALSE(bed.scheduler->question(HostId{"h1"}));
}

TEST_CASE("after a restart an attempt under a lease is sent again, naming its instance") {
    LeaseBed bed;
    bed.run_and_lease("i1");
    const InvocationId id = bed.submit();
    const Token token = bed.of(id).current()->token;
    bed.restart();
    CHECK(bed.scheduler->leases().size() == 0);
    bed.host("h1", 100, 1);
    bed.answer("h1", 1, true, {}, {id});
    const StartEffect start = bed.start();
    CHECK(start.token == token);
    CHECK(start.instance.text == "i1");
    CHECK_FALSE(start.lease);
}

TEST_CASE("the table keeps as many leases as it may, and drops what has lapsed") {
    LeaseTable table(2);
    const TimePoint now{seconds(1000)};
    const LeaseKey key{TenantName{"t"}, FunctionName{"f"}, Digest{"v"}};
    const auto lease = [&](const std::string& id, Duration left) {
        return Lease{HostId{"h"}, 1, InstanceId{id}, "a", "r", now + left};
    };
    const auto any = [](const Lease&) { return true; };
    table.offer(now, key, lease("a", seconds(1)));
    table.offer(now, key, lease("b", seconds(9)));
    table.offer(now, key, lease("b", seconds(9)));
    table.offer(now, key, lease("c", seconds(9)));
    CHECK(table.size() == 2);
    table.offer(now + seconds(2), key, lease("d", seconds(9)));
    CHECK(table.size() == 2);
    CHECK(table.take(now + seconds(2), key, any)->instance.text == "d");
    CHECK(table.take(now + seconds(2), key, any)->instance.text == "b");
    CHECK_FALSE(table.take(now + seconds(2), key, any));
    CHECK(table.size() == 0);
}

}  // namespace longhaul::gateway::test
