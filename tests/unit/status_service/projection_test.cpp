#include "status_service/driver/projection.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/fake_clock.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::status_service {
namespace {

// Keeps what is published; nothing is lost here.
class KeepingBus final : public port::Bus {
public:
    Result<void> publish(std::string subject, std::string payload) override {
        messages.emplace_back(std::move(subject), std::move(payload));
        return {};
    }
    Result<std::unique_ptr<port::Subscription>> subscribe(std::string, Handler) override {
        return make_error(Errc::unsupported, "nobody listens here");
    }

    std::vector<std::pair<std::string, std::string>> messages;
};

wire::StatusEntry entry(const std::string& id, wire::Rank rank, std::uint64_t version) {
    wire::StatusEntry value;
    value.key = {InvocationId{id}, 1};
    value.token = Token{"t"};
    value.rank = rank;
    value.version = version;
    if (rank == wire::Rank::ended) value.outcome = AttemptOutcome::succeeded;
    return value;
}

wire::Report report(std::uint64_t first, std::uint64_t last, std::vector<wire::StatusEntry> entries,
                    Epoch epoch = 7) {
    wire::Report value;
    value.host.host = HostId{"host-1"};
    value.host.epoch = epoch;
    value.host.last_seq = last;
    value.first_seq = first;
    value.entries = std::move(entries);
    return value;
}

struct World {
    test::FakeClock clock;
    KeepingBus bus;
    Projection projection{clock, Logger{}, bus, RegistryLimits{}, 3};

    wire::Rank rank_of(const std::string& id) {
        wire::StatusQuery query;
        query.keys = {{InvocationId{id}, 1}};
        const wire::StatusAnswer answer = projection.last_known(query);
        return answer.entries.empty() ? wire::Rank::queued : answer.entries[0].rank;
    }
};

TEST_CASE("a report is passed on unchanged, after its announcement") {
    World world;
    auto answer = world.projection.report(
        report(1, 2, {entry("a", wire::Rank::running, 3), entry("b", wire::Rank::ended, 5)}));
    REQUIRE(answer);
    CHECK(answer->accepted_seq == 2);
    REQUIRE(world.bus.messages.size() == 2);
    CHECK(world.bus.messages[0].first == "longhaul.v1.hosts.host-1");
    CHECK(world.bus.messages[1].first == "longhaul.v1.status.0");
    auto batch = wire::decode<wire::StatusBatch>(world.bus.messages[1].second);
    REQUIRE(batch);
    CHECK(batch->epoch == 7);
    CHECK(batch->prev_seq == 0);
    CHECK(batch->last_seq == 2);
    CHECK(batch->entries.size() == 2);
    CHECK(world.projection.hosts().size() == 1);
}

TEST_CASE("an announcement alone publishes no batch") {
    World world;
    REQUIRE(world.projection.report(report(0, 0, {})));
    REQUIRE(world.bus.messages.size() == 1);
    CHECK(world.bus.messages[0].first == "longhaul.v1.hosts.host-1");
}

TEST_CASE("the last known status is the newest, an end stays, and old ones go first") {
    World world;
    auto tell = [&world, seq = std::uint64_t{0}](wire::StatusEntry value) mutable {
        ++seq;
        REQUIRE(world.projection.report(report(seq, seq, {std::move(value)})));
    };
    tell(entry("a", wire::Rank::running, 3));
    tell(entry("a", wire::Rank::running, 2));
    CHECK(world.rank_of("a") == wire::Rank::running);
    tell(entry("a", wire::Rank::ended, 4));
    tell(entry("a", wire::Rank::running, 9));
    CHECK(world.rank_of("a") == wire::Rank::ended);
    for (const char* id : {"b", "c", "d"}) tell(entry(id, wire::Rank::running, 1));
    CHECK(world.rank_of("a") == wire::Rank::queued);
    CHECK(world.rank_of("d") == wire::Rank::running);
    CHECK(world.projection.status_count() == 3);
}

TEST_CASE("a new epoch voids what the host said before, an older one is ordered to rise") {
    World world;
    REQUIRE(world.projection.report(report(1, 1, {entry("a", wire::Rank::running, 1)})));
    REQUIRE(world.projection.report(report(0, 0, {}, 8)));
    CHECK(world.rank_of("a") == wire::Rank::queued);
    const auto published = world.bus.messages.size();
    auto answer = world.projection.report(report(2, 2, {entry("a", wire::Rank::running, 2)}, 7));
    REQUIRE(answer);
    CHECK(answer->epoch_floor == 8);
    CHECK(answer->accepted_seq == 0);
    CHECK(world.rank_of("a") == wire::Rank::queued);
    CHECK(world.bus.messages.size() == published);
}

TEST_CASE("entries that were wrong are named in the answer") {
    World world;
    wire::Report bad = report(1, 2, {entry("a", wire::Rank::running, 1)});
    bad.skipped = {"entry 1: token is empty"};
    auto answer = world.projection.report(std::move(bad));
    REQUIRE(answer);
    CHECK(answer->refused == std::vector<std::string>{"entry 1: token is empty"});
    CHECK(world.rank_of("a") == wire::Rank::running);
}

TEST_CASE("a busy host's announcement is passed on when it says something new, or every 2 s") {
    World world;
    const auto announcements = [&world] {
        return std::ranges::count_if(world.bus.messages, [](const auto& message) {
            return message.first == "longhaul.v1.hosts.host-1";
        });
    };
    REQUIRE(world.projection.report(report(1, 1, {entry("a", wire::Rank::running, 1)})));
    REQUIRE(world.projection.report(report(2, 2, {entry("a", wire::Rank::running, 2)})));
    CHECK(announcements() == 1);
    wire::Report news = report(3, 3, {entry("a", wire::Rank::running, 3)});
    news.host.draining = true;
    REQUIRE(world.projection.report(news));
    CHECK(announcements() == 2);
    news.host.digest = AttemptDigest{1, 2};
    REQUIRE(world.projection.report(news));
    CHECK(announcements() == 3);
    news.host.digest.reset();
    REQUIRE(world.projection.report(news));
    CHECK(announcements() == 3);
    world.clock.advance(std::chrono::seconds(2));
    REQUIRE(world.projection.report(news));
    CHECK(announcements() == 4);
    REQUIRE(world.projection.report(report(0, 3, {})));  // alone: always
    CHECK(announcements() == 5);
}

TEST_CASE("a drain is ordered until the host says that it does") {
    World world;
    CHECK(world.projection.order_drain(HostId{"host-1"}, true).error().code == Errc::not_found);
    REQUIRE(world.projection.report(report(0, 0, {})));
    REQUIRE(world.projection.order_drain(HostId{"host-1"}, true));
    CHECK(world.projection.report(report(0, 0, {}))->drain == true);
    CHECK(world.projection.report(report(0, 0, {}))->drain == true);
    wire::Report draining = report(0, 0, {});
    draining.host.draining = true;
    CHECK_FALSE(world.projection.report(draining)->drain);
    CHECK_FALSE(world.projection.report(report(0, 0, {}))->drain);  // it was ended there: so be it
}

TEST_CASE("a host whose name is no token of a subject is refused") {
    World world;
    for (const char* name : {"", "a.b", "a b", "*", ">"}) {
        wire::Report bad = report(0, 0, {});
        bad.host.host = HostId{name};
        CHECK(world.projection.report(std::move(bad)).error().code == Errc::invalid_argument);
    }
    CHECK(world.bus.messages.empty());
}

}  // namespace
}  // namespace longhaul::status_service
