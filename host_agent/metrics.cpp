#include "host_agent/metrics.hpp"

#include <string>
#include <utility>

namespace longhaul::host_agent {
namespace {

class Page {
public:
    void count(std::string_view name, std::string_view help, std::uint64_t value) {
        add(name, help, MetricType::counter, static_cast<double>(value));
    }
    void gauge(std::string_view name, std::string_view help, double value) {
        add(name, help, MetricType::gauge, value);
    }
    void histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
        add(name, help, MetricType::histogram, 0);
        samples_.back().histogram = histogram;
    }
    [[nodiscard]] MetricSamples take() { return std::move(samples_); }

private:
    void add(std::string_view name, std::string_view help, MetricType type, double value) {
        MetricSample sample;
        sample.name = "longhaul_host_" + std::string(name);
        sample.help = help;
        sample.type = type;
        sample.value = value;
        samples_.push_back(std::move(sample));
    }

    MetricSamples samples_;
};

void add_flows(Page& page, const MetricSources& from) {
    const TakeCounters& takes = from.takes.counters();
    page.count("takes_total", "Takes asked for", takes.asked);
    page.count("takes_reused_total", "Takes of an idle loaded instance", takes.reused);
    page.count("takes_started_total", "Takes that started an instance", takes.started);
    page.count("takes_refused_total", "Takes refused", takes.refused);
    page.count("takes_no_capacity_total", "Takes refused for want of room", takes.no_capacity);
    page.count("loads_failed_total", "Loads that failed in the user's code", takes.load_failed);
    page.histogram("take_seconds", "From the take to its answer", takes.seconds);
    const KillCounters& kills = from.kills.counters();
    page.count("kill_orders_total", "Kill, cancel and fence orders", kills.orders);
    page.count("kill_retries_total", "Orders that a runtime agent did not take", kills.retries);
    page.count("fences_total", "Fences recorded", kills.fences);
    page.count("acks_total", "Ends acknowledged by a gateway", kills.acks);
    page.count("take_lapses_total", "Takes that were not used", kills.lapses);
    const StatusCounters& status = from.status.counters();
    page.count("status_messages_total", "Messages of runtime agents", status.messages);
    page.count("ends_total", "Ends made durable", status.ends);
    page.count("lost_total", "Runs lost with their runtime agent", status.lost);
    page.count("results_lost_total", "Results that could not be kept", status.results_lost);
    page.count("leases_offered_total", "Idle instances leased ahead", status.leases_offered);
    page.count("leases_used_total", "Runs started under a lease", status.leases_used);
    const LeaseCounters& leases = from.leases.counters();
    page.count("leases_closed_total", "Leases taken back unused", leases.closed);
    page.count("leases_stuck_total", "Leases that could not be taken back at once", leases.stuck);
}

}  // namespace

MetricSamples collect_metrics(const MetricSources& from) {
    Page page;
    add_flows(page, from);
    const HostCore& core = from.ledger.core();
    page.gauge("instances", "Instances", static_cast<double>(core.instances().size()));
    page.gauge("runs", "Runs, live and not acknowledged", static_cast<double>(core.runs().size()));
    page.gauge("memory_busy_bytes", "Memory of busy instances", core.memory_busy_mb() * 1048576.0);
    const KeeperCounters& keeper = from.keeper.counters();
    page.count("instances_spawned_total", "Runtime agents started", keeper.spawned);
    page.count("instances_destroyed_total", "Runtime agents ended by us", keeper.destroyed);
    page.count("instances_died_total", "Runtime agents that ended unasked", keeper.died);
    const PackageCounters& packages = from.packages.counters();
    page.count("package_hits_total", "Packages found in the cache", packages.hits);
    page.count("packages_fetched_total", "Packages fetched and unpacked", packages.fetched);
    page.count("packages_failed_total", "Packages that could not be had", packages.failed);
    page.count("packages_evicted_total", "Packages removed for want of room", packages.evicted);
    page.gauge("package_cache_bytes", "Unpacked packages", static_cast<double>(packages.bytes));
    page.gauge("log_bytes", "Logs, at the last sweep",
               static_cast<double>(from.files.counters().log_bytes));
    page.count("files_removed_total", "Logs and results removed", from.files.counters().removed);
    const LedgerCounters& ledger = from.ledger.counters();
    page.count("journal_records_total", "Records made durable", ledger.records);
    page.count("journal_batches_total", "Commits", ledger.batches);
    page.count("journal_snapshots_total", "Rewritings of the live state", ledger.snapshots);
    if (from.reporter == nullptr) return page.take();
    const ReportCounters& reports = from.reporter->counters();
    page.count("report_batches_total", "Reports with changes", reports.batches);
    page.count("report_entries_total", "Changes reported", reports.entries);
    page.count("report_failures_total", "Reports that failed", reports.failures);
    page.count("report_snapshots_total", "Times that everything was asked for", reports.snapshots);
    return page.take();
}

}  // namespace longhaul::host_agent
