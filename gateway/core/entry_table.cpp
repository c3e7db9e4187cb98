#include "gateway/core/entry_table.hpp"

#include "longhaul/base/assert.hpp"

#include <utility>

namespace longhaul::gateway {

// One for each that waits: every 16 bytes count.
static_assert(sizeof(Seat) <= 88);

const Avoided& Entry::avoided() const {
    static const Avoided kNone;
    return rare ? rare->avoided : kNone;
}

std::size_t EntryTable::bucket_of(const CompactId& id) const {
    return id.hash() & (buckets_.size() - 1);
}

Seat* EntryTable::find(const InvocationId& name) const {
    const CompactId id(name);
    Seat* seat = buckets_[bucket_of(id)].get();
    while (seat && !(seat->id == id)) seat = seat->next.get();
    return seat;
}

Entry& EntryTable::add(Invocation invocation) {
    if (size_ == buckets_.size()) grow();
    auto seat = std::make_unique<Seat>(invocation.id);
    seat->whole = std::make_unique<Entry>(*seat);
    Entry& entry = *seat->whole;
    entry.invocation = std::move(invocation);
    loose_.push_back(seat.get());
    Place& bucket = buckets_[bucket_of(seat->id)];
    seat->next = std::move(bucket);
    bucket = std::move(seat);
    ++size_;
    return entry;
}

void EntryTable::erase(Seat& seat) {
    LH_ASSERT(seat.whole != nullptr);
    LH_ASSERT(!seat.line && seat.place_by_time == Timed::kNowhere);
    std::erase(loose_, &seat);
    Place* place = &buckets_[bucket_of(seat.id)];
    while (place->get() != &seat) place = &(*place)->next;
    *place = std::move((*place)->next);
    --size_;
}

Entry& EntryTable::whole(Seat& seat) {
    if (!seat.whole) {
        seat.whole = std::make_unique<Entry>(seat);
        seat.whole->invocation = packer_.unpack(seat.id, std::move(seat.packed));
        loose_.push_back(&seat);
    }
    return *seat.whole;
}

void EntryTable::pack() {
    for (Seat* seat : loose_) {
        if (!seat->whole || !InvocationPacker::can_pack(seat->whole->invocation)) continue;
        LH_ASSERT(!seat->whole->rare);
        seat->packed = packer_.pack(seat->whole->invocation);
        seat->whole.reset();
    }
    loose_.clear();
}

Invocation EntryTable::read(const Seat& seat) const {
    return seat.whole ? seat.whole->invocation : packer_.read(seat.id, seat.packed);
}

State EntryTable::state(const Seat& seat) {
    return seat.whole ? seat.whole->invocation.state : InvocationPacker::state(seat.packed);
}

TimePoint EntryTable::in_line_since(const Seat& seat) {
    return seat.whole ? seat.whole->invocation.in_line_since()
                      : InvocationPacker::in_line_since(seat.packed);
}

void EntryTable::grow() {
    std::vector<Place> old = std::exchange(buckets_, std::vector<Place>(2 * buckets_.size()));
    for (Place& bucket : old) {
        while (bucket) {
            Place seat = std::exchange(bucket, std::move(bucket->next));
            Place& to = buckets_[bucket_of(seat->id)];
            seat->next = std::move(to);
            to = std::move(seat);
        }
    }
}

}  // namespace longhaul::gateway
