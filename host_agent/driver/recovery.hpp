// Finds the instances of an earlier life again: by pid and start time, then by asking each for its
// full status, until every one was found or is proven dead. Until then no snapshot is complete.
#pragma once

#include "host_agent/driver/ledger.hpp"
#include "host_agent/driver/status_flow.hpp"
#include "host_agent/instances/agent_control.hpp"
#include "host_agent/instances/keeper.hpp"

namespace longhaul::host_agent {

class Recovery {
public:
    Recovery(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
             Ledger& ledger, Keeper& keeper, AgentControl& control, StatusFlow& status);

    // After the ledger's replay and the keeper's open(). What cannot be decided at once goes on.
    void start();
    boost::asio::awaitable<void> stop();

private:
    boost::asio::awaitable<void> ask(InstanceId id, InstanceProcess process);

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    Keeper& keeper_;
    AgentControl& control_;
    StatusFlow& status_;
    net::TaskGroup tasks_;
};

}  // namespace longhaul::host_agent
