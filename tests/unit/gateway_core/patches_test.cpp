// Changes by the caller: durable (I1), never of what has ended (I4), and timers follow them.
#include "tests/unit/gateway_core/bed.hpp"

namespace longhaul::gateway::test {
namespace {

Result<void> patch(Bed& bed, PatchRequest what, const InvocationId& id) {
    what.id = id;
    what.tenant = kTenant;
    what.labels_max = 2;
    return bed.step([&] { return bed.scheduler->patch(bed.now, what, bed.out); });
}

InvocationId scheduled(Bed& bed, Duration by) {
    const auto answer = bed.try_submit(Submit{.not_before = bed.now + by});
    REQUIRE(answer);
    return answer->id;
}

}  // namespace

TEST_CASE("priority, deadline and labels can be changed, and stay so over a restart") {
    Bed bed;
    bed.function("f");
    const auto id = bed.submit();
    PatchRequest what;
    what.priority = std::uint8_t{6};
    what.deadline = bed.now + hours(1);
    what.labels = {{"b", "2"}, {"a", "1"}};
    REQUIRE(patch(bed, what, id));
    CHECK(bed.of(id).revision == 2);
    bed.restart();
    CHECK(bed.of(id).options.priority == 6);
    CHECK(bed.of(id).options.labels ==
          std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "2"}});
    bed.tick(hours(1));
    CHECK(bed.state(id) == State::expired);
    CHECK(bed.of(id).failure->reason == FailureReason::deadline);
}

TEST_CASE("a label is removed by null, and there may not be too many") {
    Bed bed;
    bed.function("f");
    const auto id = bed.submit();
    REQUIRE(patch(bed, PatchRequest{.labels = {{"a", "1"}, {"b", "2"}}}, id));
    REQUIRE(patch(bed, PatchRequest{.labels = {{"a", std::nullopt}, {"c", "3"}}}, id));
    CHECK(bed.of(id).options.labels ==
          std::vector<std::pair<std::string, std::string>>{{"b", "2"}, {"c", "3"}});
    const auto refused = patch(bed, PatchRequest{.labels = {{"d", "4"}}}, id);
    CHECK(refused.error().code == Errc::invalid_argument);
    CHECK(bed.nothing_changed());
}

TEST_CASE("a change that expects another revision is refused and changes nothing") {
    Bed bed;
    bed.function("f");
    const auto id = bed.submit();
    PatchRequest what;
    what.priority = std::uint8_t{1};
    what.if_revision = 7;
    CHECK(patch(bed, what, id).error().code == Errc::precondition);
    CHECK(bed.nothing_changed());
    what.if_revision = 1;
    CHECK(patch(bed, what, id));
}

TEST_CASE("scheduled work can be put off, brought forward, or begun") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const auto id = scheduled(bed, hours(1));
    const Duration ttl = bed.of(id).queue_ttl_at - *bed.of(id).due_at;
    const Duration rest = bed.of(id).deadline - *bed.of(id).due_at;
    PatchRequest later;
    later.sets_not_before = true;
    later.not_before = bed.now + hours(5);
    REQUIRE(patch(bed, later, id));
    CHECK(bed.of(id).queue_ttl_at == bed.now + hours(5) + ttl);
    CHECK(bed.of(id).deadline == bed.now + hours(5) + rest);
    bed.tick(hours(1));
    CHECK(bed.state(id) == State::scheduled);
    bed.host("h1");
    PatchRequest at_once;
    at_once.sets_not_before = true;
    REQUIRE(patch(bed, at_once, id));
    CHECK(bed.state(id) == State::dispatching);
    CHECK(patch(bed, later, id).error().code == Errc::conflict);
}

TEST_CASE("what has ended, or is another's, is not changed") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const auto id = bed.submit();
    bed.started(id);
    bed.ended(id);
    CHECK(patch(bed, PatchRequest{}, id).error().type == "already-finished");
    CHECK(patch(bed, PatchRequest{}, InvocationId{"none"}).error().code == Errc::not_found);
    const auto live = bed.submit();
    PatchRequest past;
    past.deadline = bed.now;
    CHECK(patch(bed, past, live).error().code == Errc::invalid_argument);
}

TEST_CASE("a run's deadline can be brought forward, and stops it then") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const auto id = bed.submit();
    bed.started(id);
    PatchRequest soon;
    soon.deadline = bed.now + seconds(5);
    REQUIRE(patch(bed, soon, id));
    bed.tick(seconds(5));
    CHECK(bed.state(id) == State::stopping);
    CHECK(bed.of(id).stop.cause == StopCause::deadline);
}

TEST_CASE("the deadline of a run cannot be put off: the run does not know of it") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const auto id = bed.submit();
    PatchRequest later;
    later.deadline = bed.of(id).deadline + hours(1);
    CHECK(patch(bed, later, id).error().code == Errc::conflict);
    CHECK(bed.nothing_changed());
}

TEST_CASE("scheduled work may not be put off to its deadline") {
    Bed bed;
    bed.function("f");
    const auto made =
        bed.try_submit(Submit{.deadline = bed.now + hours(2), .not_before = bed.now + hours(1)});
    REQUIRE(made);
    PatchRequest later;
    later.sets_not_before = true;
    later.not_before = bed.now + hours(2);
    CHECK(patch(bed, later, made->id).error().code == Errc::invalid_argument);
    CHECK(bed.nothing_changed());
}

TEST_CASE("a change to what it is already is none") {
    Bed bed;
    bed.function("f");
    const auto id = bed.submit();
    PatchRequest same;
    same.priority = bed.of(id).options.priority;
    REQUIRE(patch(bed, same, id));
    CHECK(bed.nothing_changed());
    CHECK(bed.of(id).revision == 1);
}

TEST_CASE("another priority is another line, with the age that it has") {
    Bed bed;
    bed.function("f", 1);
    const auto first = bed.submit();
    const auto urgent = bed.try_submit(Submit{.priority = 1})->id;
    CHECK(*bed.wait(first).position == 2);
    PatchRequest up;
    up.priority = std::uint8_t{1};
    REQUIRE(patch(bed, up, first));
    CHECK(*bed.wait(first).position == 1);
    CHECK(*bed.wait(urgent).position == 2);
    bed.restart();
    CHECK(*bed.wait(first).position == 1);
}

}  // namespace longhaul::gateway::test
