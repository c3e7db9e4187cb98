// Who waits in one line, in the order of tickets, and how many are before each.
//
// A treap whose nodes are the waiting themselves, so that a line costs no memory of its own and a
// place in the middle of a million is found, left and counted in O(log n). What decides the shape
// is a hash of the ticket: the same history gives the same tree. No node knows its parent, which
// would be 8 bytes for each that waits: from the top it is found by its ticket.
//
// Pure. Invariants: (1) tickets of a line differ; (2) front() is the smallest; (3) a waiter is in
// one line at most, and does not move while it is there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longhaul::gateway {

struct Line;

// What a run occupies of its host.
struct Demand {
    std::uint32_t memory_mb = 0;
    std::uint32_t cpu_millis = 0;

    friend auto operator<=>(const Demand&, const Demand&) = default;
};

// One that waits. The last members belong to the line that it is in.
struct Waiter {
    std::uint64_t ticket = 0;
    Demand demand{};

    Line* line = nullptr;  // nullptr: it is in none
    Waiter* left = nullptr;
    Waiter* right = nullptr;
    std::uint32_t count = 0;  // of the subtree, itself included
};

class RankedLine {
public:
    RankedLine() = default;
    RankedLine(const RankedLine&) = delete;
    RankedLine& operator=(const RankedLine&) = delete;

    void insert(Waiter& waiter);
    void erase(Waiter& waiter);

    [[nodiscard]] bool empty() const { return root_ == nullptr; }
    [[nodiscard]] std::size_t size() const { return root_ ? root_->count : 0; }
    [[nodiscard]] Waiter* front() const { return front_; }
    // The one with the next greater ticket, or nullptr.
    [[nodiscard]] Waiter* after(std::uint64_t ticket) const;
    // Those with a smaller ticket.
    [[nodiscard]] std::size_t before(std::uint64_t ticket) const;
    void check_invariants() const;

private:
    Waiter* root_ = nullptr;
    Waiter* front_ = nullptr;
};

}  // namespace longhaul::gateway
