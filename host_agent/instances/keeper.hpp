// Keeps the processes behind the core's instances: starts them, waits until they are ready, notices
// their death, ends them.
//
// Runs on one executor. What a process's death means for its run is told to `on_dead`, on that
// executor, once, after the process is proven gone. A runtime agent needs not be our child: those
// of an earlier life of this host agent are watched alike.
#pragma once

#include "host_agent/driver/ledger.hpp"
#include "host_agent/instances/agent_control.hpp"
#include "host_agent/instances/processes.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/random.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::host_agent {

struct KeeperTimes {
    Duration start_timeout{};
    Duration destroy_timeout{};
};

struct KeeperCounters {
    std::uint64_t spawned = 0;
    std::uint64_t destroyed = 0;
    std::uint64_t died = 0;  // unasked
};

// What a runtime agent said last; lost with this process, relearned at its next word.
struct AgentReport {
    bool ready = false;
    std::string state;
    std::string data_address;
    bool retry_on_lost = false;
};

class Keeper {
public:
    using OnDead = std::function<void(const InstanceId&)>;

    Keeper(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger, Ledger& ledger,
           AgentControl& control, Processes& processes, port::Random& random,
           const KeeperTimes& times);

    // Folders, user ids, and what an earlier life left half made. The core learns here for how many
    // instances there are ids. REQUIRES the ledger's replay.
    [[nodiscard]] Result<void> open(OnDead on_dead);
    boost::asio::awaitable<void> stop();

    // Until there is a user id for the process of an instance that the core has decided to start:
    // those that make room for it keep theirs to their end. Errc::overloaded, "no-capacity": none
    // will come free, or not in time.
    boost::asio::awaitable<Result<void>> wait_uid(InstanceId id, TimePoint until);
    // A process for an instance that the core has decided to start. It is journalled, not yet
    // durable, and not yet ready. Errc::unavailable: the core has given the instance up since.
    [[nodiscard]] Result<void> spawn(const InstanceId& id, std::uint32_t memory_mb);
    // Errc::timed_out, or Errc::unavailable when the process died first.
    boost::asio::awaitable<Result<void>> wait_ready(InstanceId id, TimePoint until);

    // The core's next look at a process that an earlier life journalled. False: proven dead.
    [[nodiscard]] bool watch_found(const InstanceId& id, const InstanceProcess& process);

    void heard(const InstanceId& id, AgentReport report);
    [[nodiscard]] const AgentReport* report_of(const InstanceId& id) const;

    // Sees to the end of an instance that the core marked destroying; returns at once.
    void destroy(const InstanceId& id);

    [[nodiscard]] InstanceId fresh_id();
    [[nodiscard]] std::string fresh_secret();
    [[nodiscard]] const KeeperCounters& counters() const { return counters_; }

private:
    boost::asio::awaitable<void> watch(InstanceId id, InstanceProcess process);
    boost::asio::awaitable<void> end(InstanceId id);
    void dead(const InstanceId& id);
    [[nodiscard]] std::vector<std::uint32_t> uids_taken() const;

    // Constant after construction.
    const boost::asio::any_io_executor executor_;
    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    AgentControl& control_;
    Processes& processes_;
    port::Random& random_;
    const KeeperTimes times_;

    // Constant after open().
    OnDead on_dead_;
    std::uint32_t uid_first_ = 0;
    std::uint32_t uid_count_ = 0;  // 0 = all run as we do

    std::map<InstanceId, AgentReport> reports_;
    net::Notifier heard_;
    net::Notifier gone_;  // an instance was proven dead
    net::TaskGroup tasks_;
    KeeperCounters counters_;
};

}  // namespace longhaul::host_agent
