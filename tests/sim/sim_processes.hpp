// The runtime agents of one machine, and the processes port of the host agents that run on it one
// after another.
#pragma once

#include "host_agent/instances/processes.hpp"
#include "tests/sim/gates.hpp"
#include "tests/sim/sim_agent.hpp"

#include <map>
#include <memory>

namespace longhaul::sim {

class SimMachine {
public:
    explicit SimMachine(AgentSite& site) : site_(site) {}

    [[nodiscard]] Result<host_agent::InstanceProcess> spawn(
        const host_agent::Processes::Order& order);
    // nullptr: it never was here.
    [[nodiscard]] SimAgent* find(const host_agent::InstanceProcess& process) const;
    [[nodiscard]] std::vector<SimAgent*> living() const;
    // The run's agent, if it lives.
    [[nodiscard]] const runtime_agent_ext::Run* run(const RunKey& key) const;

    void power_off();
    void cut(bool on);
    // The host agent listens again.
    void reconnect();
    // All that may go wrong has gone wrong.
    void be_tidy();
    // One dies: rather one that runs something or is open to a run.
    void lose_one();

    [[nodiscard]] test::FakeClock& clock() const { return site_.clock; }

private:
    AgentSite& site_;
    std::map<std::int64_t, std::unique_ptr<SimAgent>> agents_;  // by pid, dead ones too
    std::int64_t last_pid_ = 1;
    bool is_cut_ = false;
};

// As one process of the host agent has them.
class SimProcesses final : public host_agent::Processes {
public:
    SimProcesses(SimMachine& machine, Lifeline& life) : machine_(machine), life_(life) {}

    [[nodiscard]] Result<Opening> open(const IsKnown& is_known) override;
    [[nodiscard]] Result<host_agent::InstanceProcess> spawn(const Order& order) override;
    [[nodiscard]] bool lives(const host_agent::InstanceProcess& process) override;
    boost::asio::awaitable<Result<void>> wait_gone(host_agent::InstanceProcess process,
                                                   Duration limit) override;
    boost::asio::awaitable<Result<void>> kill(host_agent::InstanceProcess process,
                                              Duration limit) override;
    boost::asio::awaitable<bool> sweep(InstanceId id, std::uint32_t uid) override;
    boost::asio::awaitable<void> clean(InstanceId id) override;

private:
    SimMachine& machine_;
    Lifeline& life_;
};

}  // namespace longhaul::sim
