#include "host_agent/instances/uid_range.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_folder.hpp"

#include <unistd.h>

#include <optional>
#include <set>

using namespace longhaul;
using host_agent::UidRange;
using host_agent::UidRangeSettings;

namespace {

// Blocks of its own for each test process: abstract sockets are the machine's.
struct House {
    test::TempFolder folder;
    std::uint32_t first = 1'000'000'000U + static_cast<std::uint32_t>(::getpid()) * 100U;
    std::set<std::uint32_t> running{};  // first ids of blocks in which something runs

    Result<UidRange> claim(const std::string& owner, const std::string& claims = "/claims") {
        UidRangeSettings settings;
        settings.claims_dir = folder.path() + claims;
        settings.owner = owner;
        settings.first = first;
        settings.count = 10;
        settings.blocks = 3;
        return UidRange::claim(settings, [this](std::uint32_t block, std::uint32_t) {
            return running.contains(block);
        });
    }
};

}  // namespace

TEST_CASE("two host agents never share user ids") {
    House house;
    const auto one = house.claim("/data/one");
    const auto two = house.claim("/data/two");
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->first() == house.first);
    CHECK(two->first() == house.first + 10);
    CHECK(one->owns(house.first + 9));
    CHECK_FALSE(one->owns(house.first + 10));
    CHECK_FALSE(two->owns(house.first + 9));
}

TEST_CASE("a host agent that sees other files does not share user ids either") {
    House house;
    const auto one = house.claim("/data", "/claims");
    const auto inside = house.claim("/data", "/claims-of-a-container");
    REQUIRE(one);
    REQUIRE(inside);
    CHECK(inside->first() == house.first + 10);
}

TEST_CASE("a restarted host agent has its user ids again") {
    House house;
    std::optional<Result<UidRange>> first{house.claim("/data/one")};
    const auto two = house.claim("/data/two");
    REQUIRE(two);
    first.reset();
    house.running = {house.first};  // its runtime agents outlive it
    const auto again = house.claim("/data/one");
    REQUIRE(again);
    CHECK(again->first() == house.first);
}

TEST_CASE("user ids under which something still runs are not taken over") {
    House house;
    { REQUIRE(house.claim("/data/gone")); }
    house.running = {house.first};
    const auto other = house.claim("/data/other");
    REQUIRE(other);
    CHECK(other->first() == house.first + 10);
    house.running.clear();
    const auto third = house.claim("/data/third");
    REQUIRE(third);
    CHECK(third->first() == house.first);
}

TEST_CASE("when all user ids are claimed the refusal says how many there are") {
    House house;
    const auto one = house.claim("/1");
    const auto two = house.claim("/2");
    const auto three = house.claim("/3");
    const auto four = house.claim("/4");
    REQUIRE(three);
    REQUIRE_FALSE(four);
    CHECK(four.error().code == Errc::overloaded);
    CHECK(four.error().message.find("all 3 blocks of 10") != std::string::npos);
}

TEST_CASE("no claim owns no user id") {
    CHECK_FALSE(UidRange{}.owns(0));
    CHECK_FALSE(UidRange{}.owns(200'000));
}
