#include "gateway/core/deadline_heap.hpp"

namespace longhaul::gateway {
namespace {

constexpr std::size_t kStaleMax = 64;

}  // namespace

void DeadlineHeap::set(const InvocationId& id, TimePoint at) {
    auto [place, is_new] = armed_.try_emplace(id, at);
    if (!is_new) {
        if (place->second == at) return;
        place->second = at;
    }
    // Deadlines lie a day ahead, most invocations end within minutes: what is stale goes in time.
    if (heap_.size() > 2 * armed_.size() + kStaleMax)
        rebuild();
    else
        heap_.emplace(at, id);
}

void DeadlineHeap::rebuild() {
    std::vector<Item> items;
    items.reserve(armed_.size());
    for (const auto& [id, at] : armed_) items.emplace_back(at, id);
    heap_ = std::priority_queue<Item, std::vector<Item>, std::greater<>>(std::greater<>{},
                                                                         std::move(items));
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
