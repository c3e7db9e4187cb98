// A host that is to become empty: no new takes, idle instances end; what runs finishes, or is
// stopped when its time is over. The core decides (core/host_core.hpp); this carries it out.
//
// Runs on one executor. A drain is durable before it is answered, and holds over restarts until it
// is ended.
#pragma once

#include "host_agent/driver/kill_flow.hpp"
#include "host_agent/driver/status_flow.hpp"

#include <string>

namespace longhaul::host_agent {

class Drain {
public:
    // `grace`: from SIGTERM to SIGKILL of what is stopped.
    Drain(const port::Clock& clock, Ledger& ledger, KillFlow& kills, StatusFlow& status,
          const HostId& host, Duration grace);

    boost::asio::awaitable<Result<void>> begin(DrainOrder order);
    boost::asio::awaitable<Result<void>> end();
    // Before this program ends: the next start takes work again.
    void leave(Duration limit);
    // Stops what has run out of time.
    void tick();

    [[nodiscard]] Duration grace() const { return grace_; }

private:
    void carry_out();

    const port::Clock& clock_;
    Ledger& ledger_;
    KillFlow& kills_;
    StatusFlow& status_;
    const HostId& host_;
    const Duration grace_;
};

}  // namespace longhaul::host_agent
