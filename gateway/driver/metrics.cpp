// What the gateway counts, for the exporter.
#include "gateway/driver/handle.hpp"

namespace longhaul::gateway {
namespace {

MetricSample sample(std::string name, std::string help, MetricType type, double value) {
    MetricSample made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    made.value = value;
    return made;
}

MetricSample counter(std::string name, std::string help, std::uint64_t value) {
    return sample(std::move(name), std::move(help), MetricType::counter,
                  static_cast<double>(value));
}

MetricSample gauge(std::string name, std::string help, std::size_t value) {
    return sample(std::move(name), std::move(help), MetricType::gauge, static_cast<double>(value));
}

}  // namespace

MetricSamples Gateway::metrics() const {
    MetricSamples samples{
        counter("longhaul_submits_total", "Submits received", counters_.submits),
        counter("longhaul_submits_replayed_total", "Submits answered with a known invocation",
                counters_.replays),
        counter("longhaul_submits_refused_total", "Submits refused", counters_.refusals),
        counter("longhaul_journal_batches_total", "Group commits", commits_.counters().batches),
        counter("longhaul_journal_records_total", "Records committed", commits_.counters().records),
        counter("longhaul_takes_total", "Instances asked for", dispatcher_.counters().takes),
        counter("longhaul_starts_total", "Starts sent", dispatcher_.counters().starts),
        counter("longhaul_leased_starts_total", "Starts sent under a lease, without a take",
                dispatcher_.counters().leased_starts),
        counter("longhaul_leases_refused_total", "Starts under a lease that were refused",
                dispatcher_.counters().leases_refused),
        counter("longhaul_stops_total", "Stops and fences sent", dispatcher_.counters().stops),
        counter("longhaul_host_retries_total", "Calls to hosts repeated",
                dispatcher_.counters().retries),
        counter("longhaul_host_questions_total", "Questions put to hosts",
                dispatcher_.counters().questions),
        counter("longhaul_bad_messages_total", "Status messages that could not be read",
                counters_.bad_messages),
        counter("longhaul_purged_total", "Ended invocations that retention took out",
                counters_.purged),
        gauge("longhaul_invocations_ended_kept", "Ended invocations that are still listed",
              ports_.view.ended_count()),
        gauge("longhaul_invocations_running", "Invocations that hold a slot",
              scheduler_.running_count()),
        gauge("longhaul_invocations_queued", "Invocations that wait for a slot",
              scheduler_.waiting_count()),
        gauge("longhaul_invocations_live", "Invocations that have not ended",
              scheduler_.live_count()),
        gauge("longhaul_view_backlog", "Records that the view has not applied", feeder_.backlog()),
        gauge("longhaul_leases", "Idle instances leased to this gateway",
              scheduler_.leases().size()),
        gauge("longhaul_hosts", "Hosts known", scheduler_.hosts().all().size()),
    };
    if (publisher_) publisher_->add_metrics(samples);
    for (const auto& [state, count] : counters_.ends) {
        MetricSample ended =
            counter("longhaul_invocations_ended_total", "Invocations ended, by state", count);
        ended.labels.emplace_back("state", std::string(to_string(state)));
        samples.push_back(std::move(ended));
    }
    return samples;
}

}  // namespace longhaul::gateway
