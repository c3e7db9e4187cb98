#include "gateway/core/deadline_heap.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <array>
#include <map>

namespace longhaul::gateway {
namespace {

TimePoint at(int seconds) { return TimePoint{std::chrono::seconds(seconds)}; }

}  // namespace

TEST_CASE("an empty heap has nothing due") {
    DeadlineHeap heap;
    CHECK_FALSE(heap.next());
    CHECK_FALSE(heap.pop_due(at(1'000'000)));
}

TEST_CASE("what is due comes out in the order of its time, and no earlier") {
    DeadlineHeap heap;
    Timed first;
    Timed second;
    heap.set(first, at(30));
    heap.set(second, at(10));
    CHECK(heap.next() == at(10));
    CHECK_FALSE(heap.pop_due(at(9)));
    CHECK(heap.pop_due(at(30)) == &second);
    CHECK(heap.pop_due(at(30)) == &first);
    CHECK_FALSE(heap.pop_due(at(30)));
    CHECK(heap.size() == 0);
}

TEST_CASE("setting a time again replaces it, to later and to earlier") {
    DeadlineHeap heap;
    Timed only;
    heap.set(only, at(10));
    heap.set(only, at(20));
    CHECK(heap.next() == at(20));
    CHECK_FALSE(heap.pop_due(at(10)));
    heap.set(only, at(5));
    CHECK(heap.pop_due(at(5)) == &only);
    CHECK_FALSE(heap.pop_due(at(20)));
}

TEST_CASE("a cleared time never comes up, a time set again after that does once") {
    DeadlineHeap heap;
    Timed only;
    heap.set(only, at(10));
    heap.clear(only);
    CHECK_FALSE(heap.next());
    heap.set(only, at(10));
    CHECK(heap.pop_due(at(10)) == &only);
    CHECK_FALSE(heap.pop_due(at(10)));
}

TEST_CASE("the heap behaves as a map to times") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        longhaul::test::SeededRandom random(seed);
        DeadlineHeap heap;
        std::array<Timed, 20> all;
        std::map<const Timed*, TimePoint> model;
        for (int step = 0; step < 2'000; ++step) {
            Timed& which = all[random.below(all.size())];
            const TimePoint when = at(static_cast<int>(random.below(50)));
            if (random.chance(0.5)) {
                heap.set(which, when);
                model[&which] = when;
            } else if (random.chance(0.5)) {
                heap.clear(which);
                model.erase(&which);
            } else if (const Timed* due = heap.pop_due(when)) {
                REQUIRE(model.contains(due));
                for (const auto& [other, time] : model) REQUIRE(model.at(due) <= time);
                REQUIRE(model.at(due) <= when);
                model.erase(due);
            } else {
                for (const auto& [other, time] : model) REQUIRE(time > when);
            }
            REQUIRE(heap.size() == model.size());
        }
    }
}

}  // namespace longhaul::gateway
