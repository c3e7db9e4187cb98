#include "gateway/core/deadline_heap.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <map>

namespace longhaul::gateway {
namespace {

TimePoint at(int seconds) { return TimePoint{std::chrono::seconds(seconds)}; }
InvocationId id(int number) { return InvocationId{"i" + std::to_string(number)}; }

}  // namespace

TEST_CASE("an empty heap has nothing due") {
    DeadlineHeap heap;
    CHECK_FALSE(heap.next());
    CHECK_FALSE(heap.pop_due(at(1'000'000)));
}

TEST_CASE("what is due comes out in the order of its time, and no earlier") {
    DeadlineHeap heap;
    heap.set(id(1), at(30));
    heap.set(id(2), at(10));
    CHECK(heap.next() == at(10));
    CHECK_FALSE(heap.pop_due(at(9)));
    CHECK(heap.pop_due(at(30)) == id(2));
    CHECK(heap.pop_due(at(30)) == id(1));
    CHECK_FALSE(heap.pop_due(at(30)));
    CHECK(heap.size() == 0);
}

TEST_CASE("setting a time again replaces it, to later and to earlier") {
    DeadlineHeap heap;
    heap.set(id(1), at(10));
    heap.set(id(1), at(20));
    CHECK(heap.next() == at(20));
    CHECK_FALSE(heap.pop_due(at(10)));
    heap.set(id(1), at(5));
    CHECK(heap.pop_due(at(5)) == id(1));
    CHECK_FALSE(heap.pop_due(at(20)));
}

TEST_CASE("a cleared time never comes up, a time set again after that does once") {
    DeadlineHeap heap;
    heap.set(id(1), at(10));
    heap.clear(id(1));
    CHECK_FALSE(heap.next());
    heap.set(id(1), at(10));
    CHECK(heap.pop_due(at(10)) == id(1));
    CHECK_FALSE(heap.pop_due(at(10)));
}

TEST_CASE("the heap behaves as a map from ids to times") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        longhaul::test::SeededRandom random(seed);
        DeadlineHeap heap;
        std::map<InvocationId, TimePoint> model;
        for (int step = 0; step < 2'000; ++step) {
            const InvocationId which = id(static_cast<int>(random.below(20)));
            const TimePoint when = at(static_cast<int>(random.below(50)));
            if (random.chance(0.5)) {
                heap.set(which, when);
                model[which] = when;
            } else if (random.chance(0.5)) {
                heap.clear(which);
                model.erase(which);
            } else if (const auto due = heap.pop_due(when)) {
                REQUIRE(model.contains(*due));
                for (const auto& [other, time] : model) REQUIRE(model.at(*due) <= time);
                REQUIRE(model.at(*due) <= when);
                model.erase(*due);
            } else {
                for (const auto& [other, time] : model) REQUIRE(time > when);
            }
            REQUIRE(heap.size() == model.size());
        }
    }
}

}  // namespace longhaul::gateway
