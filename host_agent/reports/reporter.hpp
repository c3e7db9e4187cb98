// Batches of status changes to the status service: at once when idle, coalesced while a batch is on
// its way, the announcement alone every 2 s, for ever.
//
// Runs on one executor. A batch covers the changes [first_seq, host.last_seq] without a hole; what
// changed twice in that range is in it once, in its newest state. It is built only when everything
// that it says is durable.
#pragma once

#include "host_agent/driver/ledger.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/peer.hpp"

#include <functional>
#include <string>

namespace longhaul::host_agent {

struct ReportLimits {
    Duration announce_interval{};
    Duration report_timeout{};
    Duration backoff_max{};
    std::size_t bytes_max = 512 * 1024;  // of one batch; a bus takes 1 MiB a message
};

struct ReportCounters {
    std::uint64_t batches = 0;
    std::uint64_t entries = 0;
    std::uint64_t announcements = 0;
    std::uint64_t failures = 0;
    std::uint64_t snapshots = 0;
};

class Reporter {
public:
    using Announce = std::function<wire::HostAnnouncement()>;

    Reporter(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
             Ledger& ledger, port::Peer& peer, std::string status_service,
             const ReportLimits& limits, Announce announce);

    void start();
    boost::asio::awaitable<void> stop();
    [[nodiscard]] const ReportCounters& counters() const { return counters_; }
    // Whether the last report was answered.
    [[nodiscard]] bool connected() const { return connected_; }

private:
    boost::asio::awaitable<void> run();
    boost::asio::awaitable<Result<wire::ReportAnswer>> send(std::string body);
    [[nodiscard]] wire::Report build(std::uint64_t through) const;
    void answered(const wire::Report& report, const wire::ReportAnswer& answer);

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    port::Peer& peer_;
    const std::string status_service_;
    const ReportLimits limits_;
    const Announce announce_;

    std::uint64_t sent_seq_ = 0;  // everything up to it was accepted
    bool connected_ = false;
    net::TaskGroup tasks_;
    ReportCounters counters_;
};

}  // namespace longhaul::host_agent
