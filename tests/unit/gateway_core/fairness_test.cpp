// Who is let out of line, and what those that wait are told. Guards I7 and I11.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

const TenantName kOther{"other"};

// Everything that runs ends; who has been started in its place?
std::vector<InvocationId> end_all(Bed& bed) {
    const auto before = bed.in_state(State::dispatching);
    for (const InvocationId& id : before) bed.ended(id);
    return bed.in_state(State::dispatching);
}

InvocationId submit(Bed& bed, const Submit& what) {
    const auto answer = bed.try_submit(what);
    REQUIRE(answer);
    return answer->id;
}

}  // namespace

TEST_CASE("a single submit starts within one slot turn of another tenant's flood") {
    SchedulerLimits limits;
    limits.run.global_max = 4;
    Bed bed{limits};
    bed.function("f", 100);
    bed.function(bed.spec("f"), kOther);
    bed.host("h1");
    for (int count = 0; count < 300; ++count) bed.submit();
    const InvocationId single = submit(bed, {.tenant = kOther});
    CHECK(bed.wait(single).reason == WaitReason::global_limit);
    bed.ended(bed.in_state(State::dispatching).front());
    CHECK(bed.state(single) == State::dispatching);
}

TEST_CASE("an urgent invocation overtakes, and is not sent back behind those it overtook") {
    Bed bed;
    bed.function("f", 1);
    bed.host("h1");
    bed.submit();
    const InvocationId usual = bed.submit();
    const InvocationId urgent = submit(bed, {.priority = 0});
    CHECK(bed.wait(urgent).position == 1U);
    CHECK(bed.wait(usual).position == 2U);
    CHECK(end_all(bed) == std::vector{urgent});
    CHECK(end_all(bed) == std::vector{usual});
}

TEST_CASE("runs of one concurrency key never overlap, and other keys go on") {
    Bed bed;
    bed.function("f", 10);
    bed.host("h1");
    const InvocationId first = submit(bed, {.concurrency_key = "a"});
    const InvocationId second = submit(bed, {.concurrency_key = "a"});
    const InvocationId other = submit(bed, {.concurrency_key = "b"});
    const InvocationId plain = bed.submit();
    CHECK(bed.state(first) == State::dispatching);
    CHECK(bed.state(second) == State::queued);
    CHECK(bed.wait(second).reason == WaitReason::key_limit);
    CHECK(bed.state(other) == State::dispatching);
    CHECK(bed.state(plain) == State::dispatching);
    bed.ended(first);
    CHECK(bed.state(second) == State::dispatching);
}

TEST_CASE("a function may allow more runs of a key, or as many as there are slots") {
    Bed bed;
    FunctionSpec two = bed.spec("two");
    two.key_max_running = 2;
    bed.function(two);
    FunctionSpec any = bed.spec("any");
    any.key_max_running = 0;
    bed.function(any);
    bed.host("h1");
    for (const char* name : {"two", "any"})
        for (int count = 0; count < 4; ++count)
            submit(bed, {.function = name, .concurrency_key = "k"});
    CHECK(bed.scheduler->function(kTenant, FunctionName{"two"})->running == 2);
    CHECK(bed.scheduler->function(kTenant, FunctionName{"any"})->running == 4);
}

TEST_CASE("after a restart keys that run are still at their limit") {
    Bed bed;
    bed.function("f", 10);
    bed.host("h1");
    submit(bed, {.concurrency_key = "a"});
    const InvocationId second = submit(bed, {.priority = 5, .concurrency_key = "a"});
    bed.restart();
    bed.host("h1");
    CHECK(bed.state(second) == State::queued);
    CHECK(bed.wait(second).reason == WaitReason::key_limit);
}

TEST_CASE("a run that no host has room for is passed, and goes when one has") {
    Bed bed;
    FunctionSpec large = bed.spec("large");
    large.memory_mb = 2'000'000;
    bed.function(large);
    bed.function("small");
    bed.host("h1");
    const InvocationId waits = bed.submit("large");
    CHECK(bed.wait(waits).reason == WaitReason::no_capacity);
    CHECK(bed.state(bed.submit("small")) == State::dispatching);
    HostNews news;
    news.host = HostId{"h2"};
    news.epoch = 1;
    news.address = "h2:7090";
    news.memory_mb = 2'000'000;
    news.instances_max = 1;
    bed.announce(news);
    CHECK(bed.state(waits) == State::dispatching);
}

TEST_CASE("a full queue says when to come back by how fast it moves") {
    Bed bed;
    FunctionSpec small = bed.spec("f");
    small.max_running = 1;
    small.max_queued = 100;
    bed.function(small);
    bed.host("h1");
    for (int count = 0; count < 101; ++count) bed.submit();
    const auto unknown = bed.try_submit(Submit{});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().scope == "function");
    CHECK(unknown.error().limit == 100);
    CHECK(unknown.error().retry_after_s == 10);
    for (int count = 0; count < 20; ++count) {
        bed.now += seconds(4);
        end_all(bed);
        bed.submit();
    }
    const auto known = bed.try_submit(Submit{});
    REQUIRE_FALSE(known);
    CHECK(known.error().retry_after_s == 40);  // until a tenth of it has gone
    bed.tick(hours(20));
    const auto stuck = bed.try_submit(Submit{});
    REQUIRE_FALSE(stuck);
    CHECK(stuck.error().retry_after_s == 3600);
}

TEST_CASE("what waits is limited by its bytes, of a function and of all") {
    SchedulerLimits limits;
    limits.queued_bytes_max = 1'500;
    Bed bed{limits};
    FunctionSpec small = bed.spec("f");
    small.max_queued_bytes = 1'000;
    bed.function(small);
    bed.function("g");
    const InvocationId first = submit(bed, {.body_size = 900});
    const auto second = bed.try_submit({.body_size = 101});
    REQUIRE_FALSE(second);
    CHECK(second.error().scope == "function");
    CHECK(second.error().limit == 1'000);
    CHECK(second.error().message.find("max_queued_bytes") != std::string::npos);
    const auto third = bed.try_submit({.function = "g", .body_size = 601});
    REQUIRE_FALSE(third);
    CHECK(third.error().scope == "gateway");
    CHECK(bed.scheduler->waiting_bytes() == 900);
    REQUIRE(bed.cancel(first));
    CHECK(bed.scheduler->waiting_bytes() == 0);
    // An empty queue takes any event that the function takes.
    submit(bed, {.body_size = 5'000});
}

TEST_CASE("those that wait are told their place and when they will start") {
    Bed bed;
    bed.function("f", 2);
    bed.host("h1");
    std::vector<InvocationId> ids;
    for (int count = 0; count < 42; ++count) ids.push_back(bed.submit());
    for (int count = 0; count < 10; ++count) {
        bed.now += seconds(10);
        end_all(bed);
    }
    CHECK(bed.wait(ids[22]).position == 1U);
    CHECK(bed.wait(ids[41]).position == 20U);
    REQUIRE(bed.wait(ids[41]).eta);
    CHECK(*bed.wait(ids[41]).eta > seconds(90));
    CHECK(*bed.wait(ids[41]).eta < seconds(110));
    REQUIRE(bed.cancel(ids[30]));
    CHECK(bed.wait(ids[41]).position == 19U);
}

TEST_CASE("those that back off count as waiting, and are seen as the oldest") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    bed.refused(id);
    CHECK(bed.wait(id).reason == WaitReason::backoff);
    CHECK(bed.wait(id).position == 1U);
    const FunctionQueue* queue = bed.scheduler->function(kTenant, FunctionName{"f"});
    CHECK(queue->queued == 1);
    CHECK(bed.scheduler->blocked_by(*queue) == WaitReason::backoff);
    CHECK(bed.scheduler->oldest_waiting(*queue)->id == id);
    CHECK(bed.scheduler->waiting_in(*queue, 10) == std::vector{id});
    bed.tick(milliseconds(200));
    CHECK(bed.state(id) == State::dispatching);
}

}  // namespace longhaul::gateway::test
