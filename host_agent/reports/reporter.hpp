// Batches of status changes to the status service: at once when idle, coalesced while a batch is on
// its way, progress and usage after at most progress_wait, the announcement alone every 2 s, for
// ever; and what the answer orders.
//
// Runs on one executor. A batch covers the changes [first_seq, host.last_seq] without a hole; what
// changed twice in that range is in it once, in its newest state. It is built only when everything
// that it says is durable, and split where it would be too long.
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
    Duration progress_wait = std::chrono::seconds(1);     // of changes that are no step of a run
    Duration digest_interval = std::chrono::seconds(30);  // between two digests
    std::size_t entries_max = wire::kBatchMax;            // of one batch
    std::size_t bytes_max = 512 * 1024;                   // of one batch; a bus takes 1 MiB
};

struct ReportCounters {
    std::uint64_t batches = 0;
    std::uint64_t entries = 0;
    std::uint64_t announcements = 0;
    std::uint64_t failures = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t splits = 0;
};

class Reporter {
public:
    using Announce = std::function<wire::HostAnnouncement()>;
    using Drain = std::function<void(bool)>;

    Reporter(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
             Ledger& ledger, port::Peer& peer, std::string status_service,
             const ReportLimits& limits, Announce announce, Drain drain);

    void start();
    boost::asio::awaitable<void> stop();
    [[nodiscard]] const ReportCounters& counters() const { return counters_; }
    // Whether the last report was answered.
    [[nodiscard]] bool connected() const { return connected_; }
    // When a report was last answered; before the first, when they began.
    [[nodiscard]] TimePoint reached_at() const { return reached_at_; }

private:
    struct Batch {
        wire::Report report;
        std::string body;
    };

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<Result<wire::ReportAnswer>> send(std::string body);
    boost::asio::awaitable<void> wait_for_news(TimePoint next_announcement);
    [[nodiscard]] Batch build(std::uint64_t through);
    [[nodiscard]] wire::Report build(std::uint64_t through, std::size_t entries_max);
    void announce(bool has_changes);
    [[nodiscard]] Result<void> take_in(const wire::Report& report,
                                       const wire::ReportAnswer& answer);
    [[nodiscard]] Result<void> raise_epoch(Epoch floor);

    port::Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;
    port::Peer& peer_;
    const std::string status_service_;
    const ReportLimits limits_;
    const Announce announce_;
    const Drain drain_;

    std::uint64_t sent_seq_ = 0;  // everything up to it was accepted
    bool was_accepted_ = false;   // under the present epoch, once
    bool connected_ = false;
    TimePoint reached_at_{};
    // The announcement looks at every instance: not for each batch of a busy host.
    wire::HostAnnouncement announced_{};
    TimePoint announced_at_{};
    TimePoint quick_until_{};  // announcements are more frequent until then
    bool is_stale_ = true;     // something may have changed since announced_at_
    TimePoint digest_at_{};
    net::TaskGroup tasks_;
    ReportCounters counters_;
};

}  // namespace longhaul::host_agent
