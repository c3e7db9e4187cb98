// Work for a later time (I1, I6): it waits by the clock, not in line, through restarts too.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

Bed with_host() {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    return bed;
}

InvocationId later(Bed& bed, Duration by, Submit what = {}) {
    what.not_before = bed.now + by;
    const auto answer = bed.try_submit(what);
    REQUIRE(answer);
    return answer->id;
}

}  // namespace

TEST_CASE("what is to begin later is scheduled, and goes out when its time comes") {
    Bed bed = with_host();
    const auto id = later(bed, minutes(10));
    CHECK(bed.state(id) == State::scheduled);
    CHECK(bed.wait(id).reason == WaitReason::not_before);
    bed.tick(minutes(9));
    CHECK(bed.state(id) == State::scheduled);
    bed.tick(minutes(1));
    bed.host("h1");
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("a time that has passed is no reason to wait") {
    Bed bed = with_host();
    CHECK(bed.state(later(bed, Duration::zero())) == State::dispatching);
    CHECK(bed.state(later(bed, -hours(1))) == State::dispatching);
}

TEST_CASE("the queue TTL of scheduled work begins when its time has come") {
    Bed bed;
    bed.function("f");
    const auto id = later(bed, hours(3), Submit{.queue_ttl = hours(1)});
    bed.tick(hours(2));
    CHECK(bed.state(id) == State::scheduled);
    bed.tick(hours(1));
    CHECK(bed.state(id) == State::queued);
    bed.tick(hours(1));
    CHECK(bed.state(id) == State::expired);
    CHECK(bed.of(id).failure->message == "it did not start within its queue TTL of 1h");
}

TEST_CASE("only its own deadline expires what is scheduled") {
    Bed bed = with_host();
    const auto id = later(bed, hours(48), Submit{.deadline = bed.now + hours(1)});
    const auto without = later(bed, hours(48));
    bed.tick(hours(1));
    CHECK(bed.state(id) == State::expired);
    CHECK(bed.of(id).failure->reason == FailureReason::deadline);
    CHECK(bed.state(without) == State::scheduled);
}

TEST_CASE("scheduled work is cancelled at once") {
    Bed bed = with_host();
    const auto id = later(bed, hours(1));
    REQUIRE(bed.cancel(id));
    CHECK(bed.state(id) == State::cancelled);
    CHECK(bed.of(id).stop.confirmed);
    CHECK(bed.scheduler->live_count() == 0);
}

TEST_CASE("scheduled work stands behind what was queued before its time") {
    Bed bed;
    bed.function("f", 1);
    const auto scheduled = later(bed, minutes(1));
    const auto queued = bed.submit();
    const bool restarted = GENERATE(false, true);
    if (restarted) bed.restart();
    bed.tick(minutes(1));
    CHECK(*bed.wait(queued).position == 1);
    CHECK(*bed.wait(scheduled).position == 2);
    if (restarted) return;
    bed.restart();
    CHECK(*bed.wait(queued).position == 1);
    CHECK(*bed.wait(scheduled).position == 2);
}

TEST_CASE("a restart finds scheduled work again, and its time") {
    Bed bed = with_host();
    const auto id = later(bed, minutes(10));
    bed.restart(GENERATE(std::size_t{0}, std::size_t{3}));
    bed.host("h1");
    CHECK(bed.state(id) == State::scheduled);
    bed.tick(minutes(10));
    bed.host("h1");
    CHECK(bed.state(id) == State::dispatching);
}

TEST_CASE("scheduled work counts against the limit of a queue") {
    Bed bed;
    FunctionSpec spec = bed.spec("f");
    spec.max_queued = 2;
    bed.function(spec);
    later(bed, hours(1));
    bed.submit();
    CHECK(bed.try_submit(Submit{}).error().type == "queue-full");
}

}  // namespace longhaul::gateway::test
