// Which of many is due next. One time for each; setting it again replaces it.
//
// A binary heap in which each knows its place: O(log n) to arm, to move and to clear, and nothing
// that was replaced is left behind. What has a time is the caller's, and is cleared before it goes:
// the heap costs 16 bytes for each and no memory of its own for finding it. The same history gives
// the same order, of equal times too.
#pragma once

#include "longhaul/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace longhaul::gateway {

// What can have a time in a heap; in one at most.
struct Timed {
    static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

    std::uint32_t place_by_time = kNowhere;  // of the heap
};

class DeadlineHeap {
public:
    DeadlineHeap() = default;
    DeadlineHeap(const DeadlineHeap&) = delete;  // what is in it knows its place
    DeadlineHeap& operator=(const DeadlineHeap&) = delete;

    void set(Timed& what, TimePoint at);
    void clear(Timed& what);

    // The earliest time, or nothing.
    [[nodiscard]] std::optional<TimePoint> next() const;

    // Removes and returns one that is due at `now`, or nullptr.
    [[nodiscard]] Timed* pop_due(TimePoint now);

    [[nodiscard]] std::size_t size() const { return heap_.size(); }

private:
    struct Due {
        TimePoint at{};
        Timed* what = nullptr;
    };
    void put(std::size_t place, const Due& due);
    void rise(std::size_t place);
    void sink(std::size_t place);

    std::vector<Due> heap_;
};

}  // namespace longhaul::gateway
