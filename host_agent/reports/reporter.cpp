#include "host_agent/reports/reporter.hpp"

#include "longhaul/wire/problem_json.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kBackoffFirst = std::chrono::milliseconds(50);
constexpr std::uint64_t kAnswerMax = 1u << 20;

// About what an entry takes in JSON: enough to keep a batch below its limit.
std::size_t weight(const wire::StatusEntry& entry) {
    std::size_t bytes = 1024 + 2 * entry.message.size();
    if (entry.result) bytes += entry.result->bytes.size() * 4 / 3;
    if (entry.progress) bytes += 2 * entry.progress->message.size();
    return bytes;
}

}  // namespace

Reporter::Reporter(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                   Ledger& ledger, port::Peer& peer, std::string status_service,
                   const ReportLimits& limits, Announce announce)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      peer_(peer),
      status_service_(std::move(status_service)),
      limits_(limits),
      announce_(std::move(announce)),
      tasks_(executor, logger_) {}

void Reporter::start() { tasks_.start("report", run()); }

asio::awaitable<void> Reporter::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

asio::awaitable<void> Reporter::run() {
    Duration backoff = kBackoffFirst;
    while (!tasks_.cancelled()) {
        const TimePoint next_announcement = clock_.now() + limits_.announce_interval;
        // What is reported must not be forgotten by a crash: nothing that has come since.
        const std::uint64_t through = ledger_.core().last_seq();
        auto durable = co_await ledger_.durable();
        if (!durable) {
            logger_.error("reports_end", {{"reason", durable.error().message}});
            co_return;
        }
        const auto next = ledger_.core().changes_after(sent_seq_, 1);
        if (!next.empty() && next.front().first > through) continue;
        const wire::Report report = build(through);
        auto answer = co_await send(wire::to_json(report).dump());
        if (!answer) {
            ++counters_.failures;
            if (std::exchange(connected_, false) || counters_.failures == 1)
                logger_.warning("report_failed",
                                {{"to", status_service_}, {"reason", answer.error().message}});
            co_await clock_.wait_until(clock_.now() + backoff);
            backoff = std::min(backoff * 2, limits_.backoff_max);
            continue;
        }
        backoff = kBackoffFirst;
        if (!std::exchange(connected_, true))
            logger_.info("reports_flow", {{"to", status_service_}});
        answered(report, *answer);
        while (ledger_.core().changes_after(sent_seq_, 1).empty() && !tasks_.cancelled() &&
               clock_.now() < next_announcement)
            (void)co_await ledger_.changed().wait_until(clock_, next_announcement);
    }
}

wire::Report Reporter::build(std::uint64_t through) const {
    wire::Report report;
    report.host = announce_();
    report.host.last_seq = std::max(through, sent_seq_);
    const auto changes = ledger_.core().changes_after(sent_seq_, wire::kBatchMax + 1);
    if (changes.empty()) return report;
    report.first_seq = sent_seq_ + 1;
    std::size_t bytes = 0;
    for (const auto& [seq, key] : changes) {
        if (seq > through) break;
        wire::StatusEntry entry = ledger_.entry(key);
        bytes += weight(entry);
        const bool full = report.entries.size() >= wire::kBatchMax || bytes > limits_.bytes_max;
        if (full && !report.entries.empty()) {
            // The rest goes with the next one, which begins where this one ends.
            report.host.last_seq = seq - 1;
            break;
        }
        report.entries.push_back(std::move(entry));
    }
    return report;
}

asio::awaitable<Result<wire::ReportAnswer>> Reporter::send(std::string body) {
    port::PeerRequest request{"POST", "/v1/reports"};
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::move(body);
    auto response =
        co_await peer_.call(status_service_, std::move(request), limits_.report_timeout);
    if (!response) co_return response.error();
    auto text = co_await port::read_all(*response->body, kAnswerMax);
    if (!text) co_return text.error();
    if (response->status >= 300) co_return wire::error_from_problem(response->status, *text);
    co_return wire::decode<wire::ReportAnswer>(*text);
}

void Reporter::answered(const wire::Report& report, const wire::ReportAnswer& answer) {
    ++counters_.announcements;
    if (!report.entries.empty()) {
        ++counters_.batches;
        counters_.entries += report.entries.size();
    }
    for (const std::string& refused : answer.refused)
        logger_.error("entry_refused", {{"reason", refused}});
    sent_seq_ = report.host.last_seq;
    if (!answer.snapshot_please) return;
    ++counters_.snapshots;
    sent_seq_ = 0;
}

}  // namespace longhaul::host_agent
