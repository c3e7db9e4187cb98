// Which invocation is due next. One time per invocation; setting it again replaces it.
//
// Lazy: a replaced time stays in the heap until it comes up and is skipped then, so that arming is
// O(log n) and needs no handle.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"

#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

namespace longhaul::gateway {

class DeadlineHeap {
public:
    void set(const InvocationId& id, TimePoint at);
    void clear(const InvocationId& id);

    // The earliest time, or nothing.
    [[nodiscard]] std::optional<TimePoint> next();

    // Removes and returns one that is due at `now`, or nothing.
    [[nodiscard]] std::optional<InvocationId> pop_due(TimePoint now);

    [[nodiscard]] std::size_t size() const { return armed_.size(); }

private:
    using Item = std::pair<TimePoint, InvocationId>;
    void drop_stale();
    void rebuild();

    std::priority_queue<Item, std::vector<Item>, std::greater<>> heap_;
    std::unordered_map<InvocationId, TimePoint> armed_;
};

}  // namespace longhaul::gateway
