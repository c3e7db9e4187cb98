// Takes leases back, and finds out what became of attempts that were sent under one.
//
// A lease lets a gateway start one run in an idle instance without a take (StatusFlow offers it
// with the end before). Whether a run has started under it only the runtime agent knows, so every
// question about one goes there: the instance is assigned to nobody, which a run that has started
// refuses; then its status is heard, which makes that run known here. After that the lease is
// closed: no start under it succeeds any more, and none has gone unheard.
//
// Runs on one executor. A close belongs to this object, not to who asked; there is at most one at a
// time of each instance.
#pragma once

#include "host_agent/driver/ledger.hpp"
#include "host_agent/driver/status_flow.hpp"
#include "host_agent/instances/agent_control.hpp"
#include "longhaul/net/task_group.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>

namespace longhaul::host_agent {

struct LeaseLimits {
    Duration hear_timeout{};         // of all that one question makes us ask
    std::uint32_t hear_at_once = 1;  // runtime agents, for one question
};

struct LeaseCounters {
    std::uint64_t closed = 0;
    std::uint64_t stuck = 0;  // closes that the runtime agent did not answer
};

class LeaseFlow {
public:
    LeaseFlow(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
              Ledger& ledger, AgentControl& control, StatusFlow& status, const LeaseLimits& limits);

    // Success: there is no lease of it any more. Errc::unavailable: its runtime agent is silent.
    boost::asio::awaitable<Result<void>> close(InstanceId id);

    // Before a take: whether `key` was started, or will be, where it had been sent to before.
    // Success: what the core knows of it is all there is. Errc::unavailable as above.
    boost::asio::awaitable<Result<void>> settle(RunKey key, Token token, InstanceId sent_to);

    // Before an answer to `query`: the runtime agents that may run what it names and what is
    // unknown here are heard, side by side. The instances that were silent.
    boost::asio::awaitable<std::set<InstanceId>> hear_of(wire::StatusQuery query);

    // Of an attempt that is unknown here (KillVerdict::ask). Fenced is durable. Errc::unavailable:
    // nothing is known, and the attempt stays blocked: ask again.
    boost::asio::awaitable<Result<wire::KillOutcome>> kill(InstanceId id, wire::KillOrder order);

    // Closes what is due; everything where `all`.
    void tick(bool all);

    boost::asio::awaitable<void> stop();
    [[nodiscard]] const LeaseCounters& counters() const { return counters_; }

private:
    struct Closing;
    struct Hearing;

    boost::asio::awaitable<Result<void>> hear(InstanceId id, std::optional<Duration> limit = {});
    boost::asio::awaitable<void> hear_next(std::shared_ptr<Hearing> hearing);
    boost::asio::awaitable<void> work(InstanceId id, std::shared_ptr<Closing> closing);
    void finish(const InstanceId& id, Closing& closing);
    boost::asio::awaitable<Result<void>> try_close(InstanceId id);
    std::shared_ptr<Closing> begin(const InstanceId& id);
    [[nodiscard]] std::optional<InstanceProcess> leased(const InstanceId& id) const;

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    AgentControl& control_;
    StatusFlow& status_;
    const LeaseLimits limits_;
    const boost::asio::any_io_executor executor_;

    std::map<InstanceId, std::shared_ptr<Closing>> closing_;  // shared with those who wait
    net::TaskGroup tasks_;
    LeaseCounters counters_;
};

}  // namespace longhaul::host_agent
