// How fast a line moves: slots granted per second while somebody waits.
//
// An exponential mean over about a minute of waiting. Time in which nobody waits does not count, so
// a function that is seldom busy is not taken for a slow one; a line that stands still grows slower
// with every second.
#pragma once

#include "longhaul/base/time.hpp"

#include <cstdint>
#include <optional>

namespace longhaul::gateway {

class DrainRate {
public:
    // Somebody waits from now on, or nobody any more.
    void waits(TimePoint now, bool anybody);
    void granted(TimePoint now);

    // Per second. Nothing: no slot was granted to one that waited, so nothing is known.
    [[nodiscard]] std::optional<double> per_second(TimePoint now) const;
    // Until `count` have gone; nothing where that is not known.
    [[nodiscard]] std::optional<Duration> time_for(std::uint64_t count, TimePoint now) const;

private:
    void advance(TimePoint now);

    bool anybody_ = false;
    TimePoint last_{};
    double grants_ = 0;   // both fade
    double seconds_ = 0;  // in which somebody waited
};

}  // namespace longhaul::gateway
