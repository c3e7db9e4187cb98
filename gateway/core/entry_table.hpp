// All invocations that the core knows, by id: whole while something goes on with them, packed while
// they only wait for their first slot.
//
// Each has a Seat for as long as it is known, which lines and timers point to. What is worked on
// has an Entry beside it, with all that there is. whole() makes one of what is packed; pack() packs
// what of these can be, and is called when nobody looks at an entry any more: at the end of a step.
//
// Pure. Not thread-safe. Invariants: (1) a seat does not move; (2) it is whole or packed, never
// both; (3) what holds a slot, has been tried or has ended is whole.
#pragma once

#include "gateway/core/compact_id.hpp"
#include "gateway/core/deadline_heap.hpp"
#include "gateway/core/host_table.hpp"
#include "gateway/core/packed_invocation.hpp"
#include "gateway/core/ranked_line.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace longhaul::gateway {

struct Entry;

struct Seat : Waiter, Timed {
    explicit Seat(const InvocationId& name) : id(name) {}

    const CompactId id;
    std::unique_ptr<Seat> next{};    // of the table
    std::unique_ptr<Entry> whole{};  // nullptr: it is packed
    PackedInvocation packed{};
};

struct Entry {
    explicit Entry(Seat& its_seat) : seat(its_seat) {}

    Seat& seat;
    Invocation invocation{};
    std::uint64_t version = 0;  // of the last report taken in, with its rank
    std::uint8_t rank = 0;
    bool take_is_answered = false;
    bool is_silent = false;  // says its host of the function
    TimePoint take_answered_at{};

    // What few have, so that the others need no room for it.
    struct Rare {
        std::unique_ptr<AttemptReport> ended{};  // waits for its result to be copied
        Avoided avoided{};
        std::optional<TimePoint> backs_off_until{};  // it is in no line until then
    };
    std::unique_ptr<Rare> rare{};

    [[nodiscard]] bool awaits_result() const { return rare && rare->ended; }
    [[nodiscard]] bool backs_off() const { return rare && rare->backs_off_until; }
    [[nodiscard]] const Avoided& avoided() const;
    void drop_report() {
        if (rare) rare->ended.reset();
    }
    [[nodiscard]] Rare& make_rare() {
        if (!rare) rare = std::make_unique<Rare>();
        return *rare;
    }
};

class EntryTable {
public:
    [[nodiscard]] Seat* find(const InvocationId& id) const;
    // REQUIRES that the id is not known.
    Entry& add(Invocation invocation);
    // REQUIRES that it is whole, and in no line and no heap.
    void erase(Seat& seat);

    // Good until pack().
    Entry& whole(Seat& seat);
    void pack();
    // As it stands.
    [[nodiscard]] Invocation read(const Seat& seat) const;
    [[nodiscard]] static State state(const Seat& seat);
    [[nodiscard]] static TimePoint in_line_since(const Seat& seat);

    // Each seat, in no order that means anything. Nothing may be added or erased meanwhile.
    template <class Each>
    void for_each(Each each) const {
        for (const auto& bucket : buckets_)
            for (Seat* seat = bucket.get(); seat; seat = seat->next.get()) each(*seat);
    }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    using Place = std::unique_ptr<Seat>;
    [[nodiscard]] std::size_t bucket_of(const CompactId& id) const;
    void grow();

    std::vector<Place> buckets_{kBucketsLeast};
    std::size_t size_ = 0;
    std::vector<Seat*> loose_;  // whole, and perhaps only waiting
    InvocationPacker packer_;

    static constexpr std::size_t kBucketsLeast = 64;
};

}  // namespace longhaul::gateway
