// Who is let in, who waits, who goes next. Guards I2 and I7.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {

TEST_CASE("with a free slot accepted and dispatching are one record") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    CHECK(bed.state(id) == State::dispatching);
    CHECK(bed.of(id).revision == 1);
    REQUIRE(bed.out.records.size() == 1);
    REQUIRE(bed.records<AcceptedRecord>().size() == 1);
    const auto starts = bed.effects<StartEffect>();
    REQUIRE(starts.size() == 1);
    CHECK(starts[0].token == bed.of(id).current()->token);
    CHECK(starts[0].host_address == "h1:7090");
}

TEST_CASE("work of an unknown function is refused and leaves nothing") {
    Bed bed;
    const auto answer = bed.try_submit(Submit{});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::not_found);
    CHECK(answer.error().type == "unknown-function");
    CHECK(bed.nothing_changed());
    CHECK(bed.scheduler->live_count() == 0);
}

TEST_CASE("without a host work waits for capacity and goes out when one comes") {
    Bed bed;
    bed.function("f");
    const InvocationId id = bed.submit();
    CHECK(bed.state(id) == State::queued);
    CHECK(bed.wait(id).reason == WaitReason::no_capacity);
    bed.host("h1");
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("a function's work goes out first in, first out") {
    Bed bed;
    bed.function("f", 1);
    bed.host("h1");
    std::vector<InvocationId> ids;
    for (int count = 0; count < 5; ++count) ids.push_back(bed.submit());
    for (std::size_t index = 0; index < ids.size(); ++index) {
        CHECK(bed.state(ids[index]) == State::dispatching);
        if (index + 1 < ids.size()) {
            CHECK(bed.wait(ids[index + 1]).reason == WaitReason::function_limit);
            CHECK(bed.wait(ids[index + 1]).position == 1U);
            CHECK(bed.wait(ids.back()).position == ids.size() - index - 1);
        }
        bed.started(ids[index]);
        bed.ended(ids[index]);
        CHECK(bed.state(ids[index]) == State::succeeded);
    }
}

TEST_CASE("the wait of a full function is estimated from its recent runs") {
    Bed bed;
    bed.function("f", 1);
    bed.host("h1");
    const InvocationId first = bed.submit();
    bed.started(first);
    bed.submit();
    const InvocationId last = bed.submit();
    CHECK_FALSE(bed.wait(last).eta);
    bed.now += seconds(10);
    bed.ended(first);
    REQUIRE(bed.wait(last).eta);
    CHECK(*bed.wait(last).eta == Duration(seconds(10)));
}

TEST_CASE("the limit of a tenant holds over all its functions and for no other tenant") {
    SchedulerLimits limits;
    limits.run.tenant_max = 2;
    Bed bed{limits};
    bed.function("f");
    bed.function("g");
    bed.function(bed.spec("f"), TenantName{"other"});
    bed.host("h1");
    const InvocationId first = bed.submit("f");
    bed.submit("g");
    const InvocationId waiting = bed.submit("f");
    CHECK(bed.wait(waiting).reason == WaitReason::tenant_limit);
    const auto other = bed.try_submit(Submit{.tenant = TenantName{"other"}});
    CHECK(bed.state(other->id) == State::dispatching);
    bed.ended(first);
    CHECK(bed.state(waiting) == State::dispatching);
}

TEST_CASE("the global limit holds, and a freed slot goes around the functions") {
    SchedulerLimits limits;
    limits.run.global_max = 1;
    Bed bed{limits};
    for (const char* name : {"a", "b", "c"}) bed.function(name);
    bed.host("h1");
    std::vector<InvocationId> running{bed.submit("a")};
    std::map<std::string, int> turns;
    for (int round = 0; round < 4; ++round)
        for (const char* name : {"a", "b", "c"}) {
            const InvocationId id = bed.submit(name);
            CHECK(bed.wait(id).reason == WaitReason::global_limit);
        }
    for (int turn = 0; turn < 6; ++turn) {
        const auto busy = bed.in_state(State::dispatching);
        REQUIRE(busy.size() == 1);
        bed.ended(busy[0]);
        const auto next = bed.in_state(State::dispatching);
        REQUIRE(next.size() == 1);
        ++turns[bed.of(next[0]).function->name.text];
    }
    CHECK(turns == std::map<std::string, int>{{"a", 2}, {"b", 2}, {"c", 2}});
}

TEST_CASE("a full queue refuses with the limit and a time, and takes nothing in") {
    Bed bed;
    FunctionSpec small = bed.spec("f");
    small.max_queued = 2;
    bed.function(small);
    bed.submit();
    bed.submit();
    const auto answer = bed.try_submit(Submit{});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::overloaded);
    CHECK(answer.error().type == "queue-full");
    CHECK(answer.error().message.find("limit of 2") != std::string::npos);
    CHECK(bed.nothing_changed());
}

TEST_CASE("the queues of all functions together have a limit") {
    SchedulerLimits limits;
    limits.queued_max = 2;
    Bed bed{limits};
    bed.function("f");
    bed.function("g");
    bed.submit("f");
    bed.submit("g");
    const auto answer = bed.try_submit(Submit{});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().type == "queue-full");
}

TEST_CASE("one key with one fingerprint is one invocation") {
    Bed bed;
    bed.function("f");
    const auto first = bed.try_submit(Submit{.key = "k"});
    REQUIRE(first);
    CHECK_FALSE(first->replayed);
    const auto again = bed.try_submit(Submit{.key = "k"});
    REQUIRE(again);
    CHECK(again->replayed);
    CHECK(again->id == first->id);
    CHECK(bed.nothing_changed());
}

TEST_CASE("a key with another fingerprint is refused") {
    Bed bed;
    bed.function("f");
    REQUIRE(bed.try_submit(Submit{.key = "k"}));
    const auto other = bed.try_submit(Submit{.key = "k", .fingerprint = "another body"});
    REQUIRE_FALSE(other);
    CHECK(other.error().code == Errc::mismatch);
    CHECK(other.error().type == "idempotency-mismatch");
}

TEST_CASE("a key belongs to one function of one tenant") {
    Bed bed;
    bed.function("f");
    bed.function("g");
    bed.function(bed.spec("f"), TenantName{"other"});
    const auto f = bed.try_submit(Submit{.key = "k"});
    const auto g = bed.try_submit(Submit{.function = "g", .key = "k"});
    const auto other = bed.try_submit(Submit{.key = "k", .tenant = TenantName{"other"}});
    REQUIRE((f && g && other));
    CHECK(f->id != g->id);
    CHECK(f->id != other->id);
}

TEST_CASE("a key still answers after the end, until the view has it") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const auto first = bed.try_submit(Submit{.key = "k"});
    bed.ended(first->id);
    CHECK(bed.try_submit(Submit{.key = "k"})->replayed);
    bed.scheduler->forget(first->id);
    CHECK_FALSE(bed.scheduler->find_key(kTenant, FunctionName{"f"}, "k"));
}

TEST_CASE("a chosen id is one invocation") {
    Bed bed;
    bed.function("f");
    const auto first = bed.try_submit(Submit{.id = "mine"});
    REQUIRE(first);
    CHECK(first->id.text == "mine");
    CHECK(bed.try_submit(Submit{.id = "mine"})->replayed);
    const auto other = bed.try_submit(Submit{.id = "mine", .fingerprint = "another"});
    REQUIRE_FALSE(other);
    CHECK(other.error().code == Errc::mismatch);
    bed.function(bed.spec("f"), TenantName{"other"});
    const auto stranger = bed.try_submit(Submit{.id = "mine", .tenant = TenantName{"other"}});
    REQUIRE_FALSE(stranger);
    CHECK(stranger.error().message.find("one body") == std::string::npos);
}

TEST_CASE("a deadline in the past is refused") {
    Bed bed;
    bed.function("f");
    const auto answer = bed.try_submit(Submit{.deadline = bed.now});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Errc::invalid_argument);
}

TEST_CASE("a paused function takes work in and sends none out until it is resumed") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId running = bed.submit();
    REQUIRE(bed.step(
        [&] { return bed.scheduler->pause(bed.now, kTenant, FunctionName{"f"}, true, bed.out); }));
    CHECK(bed.records<QueuePausedRecord>().size() == 1);
    const InvocationId id = bed.submit();
    CHECK(bed.state(id) == State::queued);
    CHECK(bed.wait(id).reason == WaitReason::paused);
    bed.started(running);  // what runs, runs on
    CHECK(bed.state(running) == State::running);
    REQUIRE(bed.step(
        [&] { return bed.scheduler->pause(bed.now, kTenant, FunctionName{"f"}, false, bed.out); }));
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("a function with live work is not deleted, one without is") {
    Bed bed;
    bed.function("f");
    const InvocationId id = bed.submit();
    const auto remove = [&] {
        return bed.step([&] {
            return bed.scheduler->delete_function(bed.now, kTenant, FunctionName{"f"}, bed.out);
        });
    };
    const auto busy = remove();
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == Errc::conflict);
    CHECK(busy.error().type == "function-busy");
    REQUIRE(bed.cancel(id));
    REQUIRE(remove());
    CHECK(bed.records<FunctionDeletedRecord>().size() == 1);
    CHECK_FALSE(bed.try_submit(Submit{}));
    CHECK(remove().error().code == Errc::not_found);
}

TEST_CASE("a new version of a function is for those who come after it") {
    Bed bed;
    bed.function("f");
    const InvocationId old = bed.submit();
    FunctionSpec next = bed.spec("f");
    next.version = Digest{"sha256:" + std::string(64, 'b')};
    next.timeout = minutes(1);
    REQUIRE_FALSE(
        *bed.step([&] { return bed.scheduler->put_function(bed.now, kTenant, next, bed.out); }));
    const InvocationId young = bed.submit();
    CHECK(bed.of(old).timeout() == Duration(minutes(15)));
    CHECK(bed.of(young).timeout() == Duration(minutes(1)));
    REQUIRE_FALSE(
        *bed.step([&] { return bed.scheduler->put_function(bed.now, kTenant, next, bed.out); }));
    CHECK(bed.nothing_changed());
}

TEST_CASE("a lowered limit stops new work, and a raised one lets it out at once") {
    Bed bed;
    bed.function("f", 2);
    bed.host("h1");
    const InvocationId first = bed.submit();
    bed.submit();
    bed.function("f", 1);
    const InvocationId waiting = bed.submit();
    bed.ended(first);
    CHECK(bed.state(waiting) == State::queued);
    bed.function("f", 3);
    CHECK(bed.state(waiting) == State::dispatching);
}

TEST_CASE("after hold_grants nothing new goes out, what runs runs on") {
    Bed bed;
    bed.function("f", 1);
    bed.host("h1");
    const InvocationId running = bed.submit();
    const InvocationId waiting = bed.submit();
    bed.scheduler->hold_grants();
    bed.started(running);
    bed.ended(running);
    CHECK(bed.state(running) == State::succeeded);
    CHECK(bed.state(waiting) == State::queued);
    CHECK(bed.state(bed.submit()) == State::queued);
}

TEST_CASE("the number of functions has a limit, which updates do not touch") {
    SchedulerLimits limits;
    limits.functions_max = 1;
    Bed bed{limits};
    bed.function("f");
    const auto refused = bed.step(
        [&] { return bed.scheduler->put_function(bed.now, kTenant, bed.spec("g"), bed.out); });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::overloaded);
    bed.function("f", 3);
}

}  // namespace longhaul::gateway::test
