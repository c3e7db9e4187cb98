// Those that wait for a slot of one function: a line per priority and concurrency key.
//
// The most urgent priority goes first, always; within it the keys take turns, and those without a
// key count as one; within a line the oldest ticket. A key that has as many runs as it may is out
// of the turns until one of them ends: while it is blocked it costs nothing.
//
// Pure. Invariants (check_invariants() verifies them):
//   (1) A line exists while somebody is in it, a key while it has a line or runs.
//   (2) The rings name exactly the lines whose key may run one more.
#pragma once

#include "gateway/core/ranked_line.hpp"
#include "gateway/core/turn.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

namespace longhaul::gateway {

inline constexpr std::uint8_t kPriorities = kPriorityLast + 1;

class FunctionLines {
public:
    // Runs at once of a key; without a key there is no such limit. 0: none.
    void set_key_max(std::uint32_t key_max);

    void insert(Waiter& waiter, std::uint8_t priority, const std::string& key);
    void erase(Waiter& waiter);
    // It was chosen, and is still in line: its line's turn is over.
    void charge(Waiter& waiter);
    // A run of this key has begun, has ended.
    void hold(const std::string& key);
    void release(const std::string& key);

    // Who is next, or nullptr: nobody, or only of keys at their limit.
    [[nodiscard]] Waiter* head() const;
    [[nodiscard]] bool key_is_full(const std::string& key) const;
    [[nodiscard]] bool empty() const { return by_age_.empty(); }
    [[nodiscard]] std::size_t key_count() const { return keys_.size(); }
    // The oldest ticket, or nullptr.
    [[nodiscard]] const Waiter* oldest() const;

    // How many go before it: those more urgent, those before it in its line, and of other lines as
    // many as there are turns until its own. May over-count, where keys are at their limit.
    struct Place {
        std::uint64_t in_line = 0;  // 1 = first
        std::uint64_t in_all = 0;
    };
    [[nodiscard]] Place place_of(std::uint64_t ticket, std::uint8_t priority,
                                 const std::string& key) const;
    template <class Each>
    void for_each(Each each) const;  // bool(Waiter&), as long as it is true

    void check_invariants() const;

private:
    struct Key;
    friend struct Line;

    [[nodiscard]] bool may_run(const Key& key) const;
    void enter(Line& line);
    void leave(Line& line);
    void settle(Key& key);
    void drop_if_idle(const std::string& name);

    std::uint32_t key_max_ = 0;
    std::unordered_map<std::string, Key> keys_;
    struct Level {
        Ring<Line> ring;
        Round round;
        std::uint64_t waiting = 0;
        std::uint64_t lines = 0;
    };
    std::array<Level, kPriorities> levels_;
    std::set<std::pair<std::uint64_t, Line*>> by_age_;  // of the first in each line
};

// One priority and key.
struct Line {
    FunctionLines::Key* key = nullptr;
    std::uint8_t priority = 0;
    bool in_ring = false;
    Turn turn{};
    RankedLine waiters{};
};

struct FunctionLines::Key {
    std::string name;
    std::uint32_t running = 0;
    std::map<std::uint8_t, Line> lines{};
};

template <class Each>
void FunctionLines::for_each(Each each) const {
    for (const auto& [ticket, line] : by_age_)
        for (Waiter* waiter = line->waiters.front(); waiter;
             waiter = line->waiters.after(waiter->ticket))
            if (!each(*waiter)) return;
}

}  // namespace longhaul::gateway
