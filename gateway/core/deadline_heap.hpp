// Which invocation is due next. One time per invocation; setting it again replaces it.
//
// A binary heap in which each knows its place: O(log n) to arm, to move and to clear, and nothing
// that was replaced is left behind.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace longhaul::gateway {

class DeadlineHeap {
public:
    DeadlineHeap() = default;
    DeadlineHeap(const DeadlineHeap&) = delete;  // the heap points into armed_
    DeadlineHeap& operator=(const DeadlineHeap&) = delete;

    void set(const InvocationId& id, TimePoint at);
    void clear(const InvocationId& id);

    // The earliest time, or nothing.
    [[nodiscard]] std::optional<TimePoint> next() const;

    // Removes and returns one that is due at `now`, or nothing.
    [[nodiscard]] std::optional<InvocationId> pop_due(TimePoint now);

    [[nodiscard]] std::size_t size() const { return armed_.size(); }

private:
    struct Due {
        TimePoint at{};
        std::size_t place = 0;
    };
    using Item = std::pair<const InvocationId, Due>;
    [[nodiscard]] static bool is_before(const Item& left, const Item& right);
    void put(std::size_t place, Item& item);
    void rise(std::size_t place);
    void sink(std::size_t place);

    std::unordered_map<InvocationId, Due> armed_;
    std::vector<Item*> heap_;
};

}  // namespace longhaul::gateway
