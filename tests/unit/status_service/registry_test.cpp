#include "status_service/core/registry.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::status_service {
namespace {

constexpr RegistryLimits kLimits{.hosts_max = 2, .forget_after = std::chrono::minutes(10)};
constexpr TimePoint kNow{std::chrono::hours(1000)};

ReportStamp stamp(const std::string& host, Epoch epoch, std::uint64_t first, std::uint64_t last) {
    return {HostId{host}, epoch, first, last};
}

TEST_CASE("changes go on under the host's own numbers") {
    Registry registry(kLimits);
    struct Step {
        ReportStamp in;
        bool publish;
        std::optional<std::uint64_t> prev_seq;
        bool snapshot_please;
        bool new_epoch;
    };
    const Step steps[] = {
        {stamp("h", 1, 0, 0), false, 0, false, false},  // a fresh host announces itself
        {stamp("h", 1, 1, 3), true, 0, false, false},   // its first changes
        {stamp("h", 1, 4, 4), true, 3, false, false},
        {stamp("h", 1, 4, 4), true, 3, false, false},  // a repeated report goes on as it came
        {stamp("h", 1, 0, 4), false, 0, false, false},
        {stamp("h", 1, 9, 9), true, {}, true, false},  // something never came here
        {stamp("h", 1, 1, 9), true, 0, false, false},  // everything again
        {stamp("h", 2, 1, 2), true, 0, false, true},   // a new life
        {stamp("h", 3, 0, 7), false, 0, true, true},   // another, of which changes were missed
        {stamp("g", 5, 0, 8), false, 0, true, false},  // an old host, new to this registry
        {stamp("g", 5, 1, 8), true, 0, false, false},  // which then tells all of it
    };
    int number = 0;
    for (const Step& step : steps) {
        INFO("step " << number++);
        auto verdict = registry.report(kNow, step.in);
        REQUIRE(verdict);
        CHECK(verdict->publish_changes == step.publish);
        if (step.publish) CHECK(verdict->prev_seq == step.prev_seq);
        CHECK(verdict->snapshot_please == step.snapshot_please);
        CHECK(verdict->new_epoch == step.new_epoch);
        registry.check_invariants();
    }
}

TEST_CASE("after a restart what came before is unknown, and everything is asked for") {
    Registry before(kLimits);
    REQUIRE(before.report(kNow, stamp("h", 1, 1, 6)));
    Registry after(kLimits);
    auto verdict = after.report(kNow, stamp("h", 1, 7, 8));
    REQUIRE(verdict);
    CHECK(verdict->publish_changes);
    CHECK_FALSE(verdict->prev_seq);
    CHECK(verdict->snapshot_please);
    verdict = after.report(kNow, stamp("h", 1, 1, 8));
    REQUIRE(verdict);
    CHECK(verdict->prev_seq == 0U);
    CHECK_FALSE(verdict->snapshot_please);
}

TEST_CASE("an older epoch is refused") {
    Registry registry(kLimits);
    REQUIRE(registry.report(kNow, stamp("h", 5, 1, 1)));
    auto late = registry.report(kNow, stamp("h", 4, 2, 2));
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Errc::stale);
    CHECK(registry.hosts().at(HostId{"h"}).last_seq == 1);
}

TEST_CASE("hosts are bounded, and silent ones forgotten") {
    Registry registry(kLimits);
    REQUIRE(registry.report(kNow, stamp("a", 1, 0, 0)));
    REQUIRE(registry.report(kNow + std::chrono::minutes(5), stamp("b", 1, 0, 0)));
    CHECK(registry.report(kNow, stamp("c", 1, 0, 0)).error().code == Errc::overloaded);
    const auto gone = registry.forget_silent(kNow + std::chrono::minutes(10));
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].text == "a");
    CHECK(registry.report(kNow, stamp("c", 1, 0, 0)));
}

}  // namespace
}  // namespace longhaul::status_service
