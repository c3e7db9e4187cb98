#include "gateway/core/deadline_heap.hpp"

namespace longhaul::gateway {

void DeadlineHeap::set(const InvocationId& id, TimePoint at) {
    auto [place, is_new] = armed_.try_emplace(id, at);
    if (!is_new) {
        if (place->second == at) return;
        place->second = at;
    }
    heap_.emplace(at, id);
}

void DeadlineHeap::clear(const InvocationId& id) { armed_.erase(id); }

void DeadlineHeap::drop_stale() {
    while (!heap_.empty()) {
        const auto place = armed_.find(heap_.top().second);
        if (place != armed_.end() && place->second == heap_.top().first) return;
        heap_.pop();
    }
}

std::optional<TimePoint> DeadlineHeap::next() {
    drop_stale();
    if (heap_.empty()) return std::nullopt;
    return heap_.top().first;
}

std::optional<InvocationId> DeadlineHeap::pop_due(TimePoint now) {
    drop_stale();
    if (heap_.empty() || heap_.top().first > now) return std::nullopt;
    InvocationId id = heap_.top().second;
    heap_.pop();
    armed_.erase(id);
    return id;
}

}  // namespace longhaul::gateway
