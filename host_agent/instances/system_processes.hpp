// The processes of this machine: spawned by the Spawner, watched by pidfd, known again by pid and
// start time.
//
// Runs on one executor; what blocks, on Workers.
#pragma once

#include "host_agent/instances/processes.hpp"
#include "host_agent/instances/spawner.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/workers.hpp"

namespace longhaul::host_agent {

class SystemProcesses final : public Processes {
public:
    SystemProcesses(port::Clock& clock, port::Workers& workers, SpawnSettings settings);

    [[nodiscard]] Result<Opening> open(const IsKnown& is_known) override;
    [[nodiscard]] Result<InstanceProcess> spawn(const Order& order) override;
    [[nodiscard]] bool lives(const InstanceProcess& process) override;
    boost::asio::awaitable<Result<void>> wait_gone(InstanceProcess process,
                                                   Duration limit) override;
    boost::asio::awaitable<Result<void>> kill(InstanceProcess process, Duration limit) override;
    // Cgroup and user tell what was let loose: the parent-death signal of a runtime agent that was
    // killed took its child alone.
    boost::asio::awaitable<bool> sweep(InstanceId id, std::uint32_t uid) override;
    boost::asio::awaitable<void> clean(InstanceId id) override;

private:
    port::Clock& clock_;
    port::Workers& workers_;
    Spawner spawner_;
};

}  // namespace longhaul::host_agent
