// A line in the order of tickets, against a sorted list.
#include "gateway/core/ranked_line.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <algorithm>
#include <memory>
#include <vector>

using namespace longhaul::gateway;
using longhaul::test::SeededRandom;

TEST_CASE("a line gives who is first, and how many are before each, whatever was done to it") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        SeededRandom random{seed};
        RankedLine line;
        std::vector<std::unique_ptr<Waiter>> all;
        std::vector<Waiter*> in;
        for (int step = 0; step < 1'000; ++step) {
            if (in.empty() || random.chance(0.55)) {
                auto waiter = std::make_unique<Waiter>();
                waiter->ticket = random.below(1'000'000);
                const auto place =
                    std::ranges::lower_bound(in, waiter->ticket, {}, &Waiter::ticket);
                if (place != in.end() && (*place)->ticket == waiter->ticket) continue;
                line.insert(*waiter);
                in.insert(place, waiter.get());
                all.push_back(std::move(waiter));
            } else {
                const auto place = in.begin() + static_cast<long>(random.below(in.size()));
                line.erase(**place);
                in.erase(place);
            }
            REQUIRE(line.size() == in.size());
            REQUIRE(line.front() == (in.empty() ? nullptr : in.front()));
            if (step % 50 != 0) continue;
            line.check_invariants();
            for (std::size_t index = 0; index < in.size(); ++index)
                REQUIRE(line.before(in[index]->ticket) == index);
        }
    }
}

TEST_CASE("an empty line has nobody in front and nobody before anyone") {
    RankedLine line;
    CHECK(line.empty());
    CHECK(line.front() == nullptr);
    CHECK(line.before(7) == 0);
    Waiter only;
    only.ticket = 3;
    line.insert(only);
    CHECK(line.before(3) == 0);
    CHECK(line.before(4) == 1);
    line.erase(only);
    CHECK(line.empty());
}
