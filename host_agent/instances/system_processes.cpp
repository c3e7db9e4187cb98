#include "host_agent/instances/system_processes.hpp"

#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/pidfd.hpp"
#include "longhaul/process/tree.hpp"

#include <sys/wait.h>

#include <csignal>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kKillWait = std::chrono::seconds(5);  // SIGKILL to gone

pid_t pid_of(const InstanceProcess& process) { return static_cast<pid_t>(process.process.pid); }

Result<process::UniqueFd> open_process(const InstanceProcess& process) {
    return process::open_process(pid_of(process), process.process.start_ticks);
}

// Ours, unless an earlier life of the host agent started it, or a Reaper collects it.
void collect(const InstanceProcess& process) { ::waitpid(pid_of(process), nullptr, WNOHANG); }

}  // namespace

SystemProcesses::SystemProcesses(port::Clock& clock, port::Workers& workers, SpawnSettings settings)
    : clock_(clock), workers_(workers), spawner_(std::move(settings)) {}

Result<Processes::Opening> SystemProcesses::open(const IsKnown& is_known) {
    if (auto opened = spawner_.open(); !opened) return opened.error();
    return Opening{spawner_.uids().first(), spawner_.uids().count(), spawner_.obstacle(),
                   spawner_.leftovers(is_known)};
}

Result<InstanceProcess> SystemProcesses::spawn(const Order& order) { return spawner_.spawn(order); }

bool SystemProcesses::lives(const InstanceProcess& process) {
    return open_process(process).has_value();
}

asio::awaitable<Result<void>> SystemProcesses::wait_gone(InstanceProcess process, Duration limit) {
    auto pidfd = open_process(process);
    Result<void> gone;
    if (pidfd) gone = co_await process::wait_gone(*pidfd, clock_, limit);
    if (gone) collect(process);
    co_return gone;
}

asio::awaitable<Result<void>> SystemProcesses::kill(InstanceProcess process, Duration limit) {
    auto pidfd = open_process(process);
    Result<void> gone;
    if (pidfd) {
        (void)process::send_signal(*pidfd, SIGKILL);
        gone = co_await process::wait_gone(*pidfd, clock_, limit);
    }
    if (gone) collect(process);
    co_return gone;
}

asio::awaitable<bool> SystemProcesses::sweep(InstanceId id, std::uint32_t uid) {
    bool swept = false;
    const std::uint32_t known_by = spawner_.uids().owns(uid) ? uid : 0;  // else another's perhaps
    std::function<void()> job = [&swept, &id, known_by] {
        const auto cgroup = process::Cgroup::find(id.text);
        swept = process::kill_orphans(cgroup, known_by, kKillWait);
        cgroup.remove();
    };
    co_await workers_.run(std::move(job));
    co_return swept;
}

asio::awaitable<void> SystemProcesses::clean(InstanceId id) {
    std::function<void()> job = [this, &id] { spawner_.clean(id); };
    co_await workers_.run(std::move(job));
}

}  // namespace longhaul::host_agent
