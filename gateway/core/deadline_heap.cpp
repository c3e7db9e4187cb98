#include "gateway/core/deadline_heap.hpp"

namespace longhaul::gateway {

// Of equal times the first by id: the same history gives the same order.
bool DeadlineHeap::is_before(const Item& left, const Item& right) {
    if (left.second.at != right.second.at) return left.second.at < right.second.at;
    return left.first < right.first;
}

void DeadlineHeap::put(std::size_t place, Item& item) {
    heap_[place] = &item;
    item.second.place = place;
}

void DeadlineHeap::rise(std::size_t place) {
    Item& item = *heap_[place];
    while (place > 0) {
        const std::size_t above = (place - 1) / 2;
        if (!is_before(item, *heap_[above])) break;
        put(place, *heap_[above]);
        place = above;
    }
    put(place, item);
}

void DeadlineHeap::sink(std::size_t place) {
    Item& item = *heap_[place];
    while (true) {
        std::size_t below = 2 * place + 1;
        if (below >= heap_.size()) break;
        if (below + 1 < heap_.size() && is_before(*heap_[below + 1], *heap_[below])) ++below;
        if (!is_before(*heap_[below], item)) break;
        put(place, *heap_[below]);
        place = below;
    }
    put(place, item);
}

void DeadlineHeap::set(const InvocationId& id, TimePoint at) {
    const auto [armed, is_new] = armed_.try_emplace(id);
    armed->second.at = at;
    if (is_new) {
        heap_.push_back(nullptr);
        put(heap_.size() - 1, *armed);
    }
    rise(armed->second.place);
    sink(armed->second.place);
}

void DeadlineHeap::clear(const InvocationId& id) {
    const auto armed = armed_.find(id);
    if (armed == armed_.end()) return;
    const std::size_t place = armed->second.place;
    Item& last = *heap_.back();
    heap_.pop_back();
    if (place < heap_.size()) {
        put(place, last);
        rise(place);
        sink(last.second.place);
    }
    armed_.erase(armed);
}

std::optional<TimePoint> DeadlineHeap::next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front()->second.at;
}

std::optional<InvocationId> DeadlineHeap::pop_due(TimePoint now) {
    if (heap_.empty() || heap_.front()->second.at > now) return std::nullopt;
    InvocationId id = heap_.front()->first;
    clear(id);
    return id;
}

}  // namespace longhaul::gateway
