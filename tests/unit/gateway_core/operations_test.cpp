// Retry as new, purge, limits, and what may be looked at.
#include "tests/unit/gateway_core/bed.hpp"

#include <set>

namespace longhaul::gateway::test {
namespace {

Result<SubmitAnswer> retry(Bed& bed, const InvocationId& origin, const std::string& id,
                           bool is_only) {
    SubmitRequest request;
    request.id = InvocationId{id};
    request.tenant = kTenant;
    request.function = bed.of(origin).function->name;
    request.retry_of = origin;
    request.is_only_retry = is_only;
    return bed.step([&] { return bed.scheduler->submit(bed.now, request, bed.out); });
}

Result<void> purge(Bed& bed, const InvocationId& id) {
    return bed.step([&] { return bed.scheduler->purge(bed.now, id, bed.out); });
}

}  // namespace

TEST_CASE("a retry is a new invocation that names the one it repeats") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId origin = bed.submit();
    bed.ended(origin, AttemptOutcome::failed);
    const auto made = retry(bed, origin, "again", false);
    REQUIRE(made.has_value());
    CHECK_FALSE(made->replayed);
    CHECK(bed.of(made->id).retry_of == origin);
    CHECK(bed.of(made->id).state == State::dispatching);
    CHECK(bed.of(origin).state == State::failed);
}

TEST_CASE("of retries that may be made once there is one, also after a restart") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId origin = bed.submit();
    bed.ended(origin, AttemptOutcome::failed);
    REQUIRE(retry(bed, origin, "again", true).has_value());
    const auto same = retry(bed, origin, "third", true);
    REQUIRE(same.has_value());
    CHECK(same->replayed);
    CHECK(same->id.text == "again");
    CHECK(bed.nothing_changed());
    bed.restart();
    CHECK(retry(bed, origin, "third", true)->id.text == "again");
    CHECK(retry(bed, origin, "third", false)->id.text == "third");
}

TEST_CASE("only what has ended is purged") {
    Bed bed;
    bed.function("f");
    bed.host("h1");
    const InvocationId id = bed.submit();
    const auto refused = purge(bed, id);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().type == "still-live");
    CHECK(bed.nothing_changed());
    bed.ended(id);
    REQUIRE(purge(bed, id).has_value());
    CHECK(bed.records<PurgedRecord>().size() == 1);
    // Until the view has taken it out its key is kept here.
    CHECK(bed.scheduler->find(id) != nullptr);
    bed.scheduler->forget(id);
    CHECK(bed.scheduler->find(id) == nullptr);
}

TEST_CASE("new limits hold at once, and after a restart") {
    Bed bed;
    bed.function("f", 100);
    bed.host("h1");
    bed.step([&] { bed.scheduler->put_limits(bed.now, RunLimits{1, 0}, bed.out); });
    const InvocationId first = bed.submit();
    const InvocationId second = bed.submit();
    CHECK(bed.state(first) == State::dispatching);
    CHECK(bed.wait(second).reason == WaitReason::global_limit);
    bed.restart();
    CHECK(bed.scheduler->run_limits() == RunLimits{1, 0});
    bed.host("h1", 100, 2);
    bed.step([&] { bed.scheduler->put_limits(bed.now, RunLimits{2, 0}, bed.out); });
    CHECK(bed.state(second) == State::dispatching);
    bed.step([&] { bed.scheduler->put_limits(bed.now, RunLimits{2, 0}, bed.out); });
    CHECK(bed.nothing_changed());
}

TEST_CASE("the holder of every slot is named, page by page") {
    Bed bed;
    bed.function("f", 100);
    bed.host("h1", 3);
    bed.host("h2", 3);
    std::set<std::string> expected;
    for (int count = 0; count < 5; ++count) expected.insert(bed.submit().text);
    std::set<std::string> seen;
    std::optional<SlotPlace> after;
    while (true) {
        const auto page = bed.scheduler->slot_holders(after, 2);
        for (const SlotHolder& holder : page) {
            CHECK(seen.insert(holder.id.text).second);
            after = SlotPlace{holder.host, {holder.id, holder.attempt}};
        }
        if (page.size() < 2) break;
    }
    CHECK(seen == expected);
}

}  // namespace longhaul::gateway::test
