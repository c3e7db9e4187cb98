// POST /v1/instances:take: from the request to an instance that waits for exactly this run.
//
// Runs on one executor. The work of a take belongs to this object, not to the request that asked: a
// client that leaves interrupts nothing, and a repeated request waits for the same work. However
// that ends, also by an exception, whoever waits for it is told.
#pragma once

#include "host_agent/driver/lease_flow.hpp"
#include "host_agent/instances/agent_control.hpp"
#include "host_agent/instances/keeper.hpp"
#include "host_agent/packages/cache.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/net/task_group.hpp"

#include <map>
#include <memory>
#include <optional>

namespace longhaul::host_agent {

struct TakeLimits {
    Duration start_timeout{};
    Duration control_timeout{};
};

struct TakeCounters {
    std::uint64_t asked = 0;
    std::uint64_t reused = 0;
    std::uint64_t started = 0;
    std::uint64_t refused = 0;
    std::uint64_t no_capacity = 0;
    std::uint64_t load_failed = 0;
    Histogram seconds{};
};

class TakeFlow {
public:
    TakeFlow(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
             Ledger& ledger, Keeper& keeper, AgentControl& control, LeaseFlow& leases,
             PackageCache& packages, const TakeLimits& limits);

    // Problem types: "stale-owner", "fenced", "token-mismatch", "already-ended" (409),
    // "no-capacity" (429), "draining" (503), "load-failed" (422) and "load-timeout" (the user's
    // own), "instance-silent" (503: the attempt may have started under a lease), "instance-failed"
    // or others (ours).
    boost::asio::awaitable<Result<wire::TakeAnswer>> take(wire::TakeRequest request);

    boost::asio::awaitable<void> stop();
    [[nodiscard]] const TakeCounters& counters() const { return counters_; }

private:
    struct Job;

    boost::asio::awaitable<void> work(std::shared_ptr<Job> job);
    void finish(Job& job);
    void give_up(Job& job);
    boost::asio::awaitable<Result<TakeDecision>> decide_without_leases(
        const wire::TakeRequest& request);
    boost::asio::awaitable<Result<void>> start(Job& job);
    boost::asio::awaitable<Result<void>> prepare(Job& job, TimePoint until);
    boost::asio::awaitable<Result<void>> load(Job& job, TimePoint until);
    boost::asio::awaitable<Result<void>> join(Job& job);
    boost::asio::awaitable<Result<void>> assign(Job& job);
    [[nodiscard]] Result<TakeDecision> decide(const wire::TakeRequest& request);
    [[nodiscard]] wire::TakeAnswer answer_of(const RunKey& key) const;
    [[nodiscard]] std::optional<InstanceProcess> process_of(const InstanceId& id) const;

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    Keeper& keeper_;
    AgentControl& control_;
    LeaseFlow& leases_;
    PackageCache& packages_;
    const TakeLimits limits_;
    const boost::asio::any_io_executor executor_;

    // Takes under way; shared with the requests that wait for them.
    std::map<RunKey, std::shared_ptr<Job>> jobs_;
    bool stopping_ = false;
    net::TaskGroup tasks_;
    TakeCounters counters_;
};

}  // namespace longhaul::host_agent
