#include "gateway/core/deadline_heap.hpp"

#include "longhaul/base/assert.hpp"

namespace longhaul::gateway {

void DeadlineHeap::put(std::size_t place, const Due& due) {
    heap_[place] = due;
    due.what->place_by_time = static_cast<std::uint32_t>(place);
}

void DeadlineHeap::rise(std::size_t place) {
    const Due due = heap_[place];
    while (place > 0) {
        const std::size_t above = (place - 1) / 2;
        if (heap_[above].at <= due.at) break;
        put(place, heap_[above]);
        place = above;
    }
    put(place, due);
}

void DeadlineHeap::sink(std::size_t place) {
    const Due due = heap_[place];
    while (true) {
        std::size_t below = 2 * place + 1;
        if (below >= heap_.size()) break;
        if (below + 1 < heap_.size() && heap_[below + 1].at < heap_[below].at) ++below;
        if (due.at <= heap_[below].at) break;
        put(place, heap_[below]);
        place = below;
    }
    put(place, due);
}

void DeadlineHeap::set(Timed& what, TimePoint at) {
    if (what.place_by_time == Timed::kNowhere) {
        LH_ASSERT(heap_.size() < Timed::kNowhere);
        what.place_by_time = static_cast<std::uint32_t>(heap_.size());
        heap_.push_back({at, &what});
    }
    heap_[what.place_by_time].at = at;
    rise(what.place_by_time);
    sink(what.place_by_time);
}

void DeadlineHeap::clear(Timed& what) {
    const std::size_t place = what.place_by_time;
    if (place == Timed::kNowhere) return;
    LH_ASSERT(heap_[place].what == &what);
    const Due last = heap_.back();
    heap_.pop_back();
    if (place < heap_.size()) {
        put(place, last);
        rise(place);
        sink(last.what->place_by_time);
    }
    what.place_by_time = Timed::kNowhere;
}

std::optional<TimePoint> DeadlineHeap::next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
}

Timed* DeadlineHeap::pop_due(TimePoint now) {
    if (heap_.empty() || heap_.front().at > now) return nullptr;
    Timed* due = heap_.front().what;
    clear(*due);
    return due;
}

}  // namespace longhaul::gateway
