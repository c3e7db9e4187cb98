// Kills, fences, releases, acknowledgements, lapsed takes: everything by which a run is taken back.
//
// Runs on one executor. A fence is durable before it is answered. An order that a runtime agent
// does not take at once is answered "stopping" and carried on until it is taken or the agent is
// gone.
#pragma once

#include "host_agent/driver/lease_flow.hpp"
#include "host_agent/driver/ledger.hpp"
#include "host_agent/instances/agent_control.hpp"
#include "host_agent/instances/keeper.hpp"
#include "host_agent/store/run_files.hpp"
#include "longhaul/net/task_group.hpp"

#include <memory>
#include <vector>

namespace longhaul::host_agent {

struct KillCounters {
    std::uint64_t orders = 0;
    std::uint64_t fences = 0;
    std::uint64_t retries = 0;
    std::uint64_t acks = 0;
    std::uint64_t lapses = 0;
};

class KillFlow {
public:
    KillFlow(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
             Ledger& ledger, Keeper& keeper, AgentControl& control, StatusFlow& status,
             LeaseFlow& leases, RunFiles& files);

    // One answer an order, in order. An error: of an attempt sent under a lease nothing could be
    // learnt; the orders are to be repeated.
    boost::asio::awaitable<Result<std::vector<wire::KillAnswer>>> kill(
        std::vector<wire::KillOrder> orders);

    // How many were known. Nothing waits for the journal.
    [[nodiscard]] std::size_t ack(const std::vector<wire::Ack>& acks);

    // A take that will not be used. Errc::stale; Errc::not_found; Errc::conflict: it has started.
    boost::asio::awaitable<Result<void>> release(wire::Owner owner, wire::AttemptKey key);

    // A take that was not used within its lease: the runtime agent is asked, then it is fenced.
    void lapse(const RunKey& key);

    // Stops these runs on the host's own behalf; a take under way is given up.
    void stop_for_host(const std::vector<RunKey>& keys, Duration grace, const std::string& reason);

    boost::asio::awaitable<void> stop();
    [[nodiscard]] const KillCounters& counters() const { return counters_; }

private:
    struct Batch;

    boost::asio::awaitable<void> forward(std::shared_ptr<Batch> batch, std::size_t index,
                                         InstanceId instance, wire::KillOrder order);
    boost::asio::awaitable<void> forward_leased(std::shared_ptr<Batch> batch, std::size_t index,
                                                InstanceId instance, wire::KillOrder order);
    boost::asio::awaitable<void> look_then_fence(RunKey key);
    boost::asio::awaitable<wire::KillOutcome> settle(RunKey key, wire::KillOutcome outcome);
    void stop_taking(const RunKey& key);

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    Keeper& keeper_;
    AgentControl& control_;
    StatusFlow& status_;
    LeaseFlow& leases_;
    RunFiles& files_;
    const boost::asio::any_io_executor executor_;
    net::TaskGroup tasks_;
    KillCounters counters_;
};

}  // namespace longhaul::host_agent
