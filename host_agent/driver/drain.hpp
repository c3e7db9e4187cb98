// A host that is to become empty: no new takes; what runs finishes, or is stopped at `drain_by`.
//
// Kept in memory: whoever drains a host and restarts it says so again.
#pragma once

#include "host_agent/driver/kill_flow.hpp"
#include "host_agent/driver/take_flow.hpp"

#include <optional>

namespace longhaul::host_agent {

class Drain {
public:
    Drain(TakeFlow& takes, KillFlow& kills);

    void begin(std::optional<TimePoint> drain_by);
    void end();
    // At `drain_by` everything that runs is stopped, once.
    void tick(TimePoint now);

    [[nodiscard]] bool on() const { return takes_.refusing(); }
    [[nodiscard]] std::optional<TimePoint> drain_by() const { return drain_by_; }

private:
    TakeFlow& takes_;
    KillFlow& kills_;
    std::optional<TimePoint> drain_by_;
    bool stopped_ = false;
};

}  // namespace longhaul::host_agent
