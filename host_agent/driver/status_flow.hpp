// News from runtime agents on its way to the gateways: merged, ends made durable, deaths judged.
//
// Runs on one executor. An end is reported, and acknowledged to its runtime agent, only after its
// result file and its record are durable. With the end goes the lease of the instance, if it is
// offered: known to its runtime agent by then, and in the same batch.
#pragma once

#include "host_agent/driver/ledger.hpp"
#include "host_agent/instances/keeper.hpp"
#include "host_agent/store/file_watch.hpp"
#include "host_agent/store/run_files.hpp"

namespace longhaul::host_agent {

struct StatusCounters {
    std::uint64_t messages = 0;
    std::uint64_t ends = 0;
    std::uint64_t lost = 0;
    std::uint64_t results_lost = 0;
    std::uint64_t leases_offered = 0;
    std::uint64_t leases_used = 0;
};

class StatusFlow {
public:
    StatusFlow(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
               Ledger& ledger, Keeper& keeper, RunFiles& files, FileWatch& log_watch);

    // Whether `secret` is that of the instance: nobody else speaks for it.
    [[nodiscard]] bool is_secret_of(const InstanceId& id, std::string_view secret) const;

    // What a runtime agent says of itself, complete. Errc::gone: nobody here knows the instance.
    boost::asio::awaitable<Result<wire::InstanceStatusAnswer>> heard(InstanceId from,
                                                                     wire::InstanceStatus status);

    // The process is proven gone; the runs that it had end as lost.
    void instance_dead(const InstanceId& id);

    // The same of what may have run under the lease of an instance that is gone.
    void lost_with_lease(const RunKey& key, const Token& token, const InstanceId& id);

    // From now on ends bring no lease.
    void offer_leases(bool offered) { leasing_ = offered; }

    // Destroys what the core holds for worn out or too old.
    void retire();

    boost::asio::awaitable<void> stop();
    [[nodiscard]] const StatusCounters& counters() const { return counters_; }

private:
    boost::asio::awaitable<Result<bool>> take_end(InstanceId from, wire::StatusEntry entry,
                                                  bool usable,
                                                  std::optional<wire::InstanceOffer> offer);
    boost::asio::awaitable<void> announce_when_durable(Ledger::Ticket ticket);
    void record_lease(const InstanceId& id, const RunKey& after, const wire::InstanceOffer& offer);
    [[nodiscard]] bool adopt(const InstanceId& from, const wire::StatusEntry& entry,
                             const std::string& data_address);
    void end_as_lost(const RunKey& key, const InstanceId& id);
    Ledger::Ticket record_end(const RunKey& key, wire::StatusEntry entry, bool usable);

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    Keeper& keeper_;
    RunFiles& files_;
    FileWatch& log_watch_;
    bool leasing_ = true;
    net::TaskGroup tasks_;
    StatusCounters counters_;
};

}  // namespace longhaul::host_agent
