// A host that reaches nobody stops what may be tried again elsewhere, before its gateway gives it
// up: so that two attempts hardly ever run side by side. All else runs on.
//
// Runs on one executor. What is stopped ends as lost, with the reason; the gateway hears of it when
// it hears of the host again, if it has not judged by then.
#pragma once

#include "host_agent/driver/kill_flow.hpp"

#include <set>

namespace longhaul::host_agent {

struct IsolationTimes {
    Duration after{};  // nobody was reached for so long
    Duration grace{};  // from SIGTERM to SIGKILL
};

class Isolation {
public:
    Isolation(const Ledger& ledger, const Keeper& keeper, KillFlow& kills, const HostId& host,
              const IsolationTimes& times);

    // `reached_at`: when a report was last answered, or since when there could have been one.
    void tick(TimePoint now, TimePoint reached_at);

private:
    const Ledger& ledger_;
    const Keeper& keeper_;
    KillFlow& kills_;
    const HostId& host_;
    const IsolationTimes times_;
    std::set<RunKey> stopped_{};  // in this silence
};

}  // namespace longhaul::host_agent
