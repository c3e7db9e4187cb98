// A place in a round: the order of deficit round robin, in which rounds that nobody could use are
// skipped.
//
// Who was served pays with rounds: it comes again after as many as it has taken slots' worth. So in
// each round everybody who wants to has one slot's worth, whatever a single run costs, and the next
// one is found in O(log n), however deep in debt the others are. Who comes anew enters the round
// that is on, behind those who are in it.
//
// Invariant: a round is never entered that is over.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>

namespace longhaul::gateway {

struct Turn {
    std::uint64_t round = 0;
    std::uint64_t arrival = 0;  // within the round

    friend auto operator<=>(const Turn&, const Turn&) = default;
};

struct ByTurn {
    template <class Taker>
    bool operator()(const Taker* left, const Taker* right) const {
        return left->turn < right->turn;
    }
};

// The order of those that could be served now. A taker is in at most one ring of its kind, or in
// several that share one Round; its turn changes only while it is in none.
template <class Taker>
using Ring = std::set<Taker*, ByTurn>;

// The round that is on.
class Round {
public:
    // It comes back, or for the first time.
    void enter(Turn& turn) { turn = {std::max(turn.round, on_), ++arrivals_}; }
    // It is new and nothing is known of it: behind those who have waited.
    void enter_last(Turn& turn) { turn = {on_ + 1, ++arrivals_}; }
    // It was served, at `cost`.
    void charge(Turn& turn, std::uint64_t cost) {
        on_ = std::max(on_, turn.round);
        turn = {turn.round + cost, ++arrivals_};
    }

private:
    std::uint64_t on_ = 0;
    std::uint64_t arrivals_ = 0;
};

}  // namespace longhaul::gateway
