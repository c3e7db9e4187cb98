#include "host_agent/reports/reporter.hpp"

#include "host_agent/driver/status_query.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kBackoffFirst = std::chrono::milliseconds(50);
constexpr Duration kAnnouncePause = std::chrono::milliseconds(20);
constexpr std::uint64_t kAnswerMax = 1u << 20;
// What was told last may have been lost on the bus, and nothing may follow that would show the gap:
// then announcements, which say how far the numbers go, come this much more often for a while.
constexpr int kQuicker = 4;
constexpr int kQuickFor = 5;  // intervals

}  // namespace

Reporter::Reporter(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                   Ledger& ledger, port::Peer& peer, std::string status_service,
                   const ReportLimits& limits, Announce announce, Drain drain)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      peer_(peer),
      status_service_(std::move(status_service)),
      limits_(limits),
      announce_(std::move(announce)),
      drain_(std::move(drain)),
      tasks_(executor, logger_) {}

void Reporter::start() {
    reached_at_ = clock_.now();
    tasks_.start("report", run());
}

asio::awaitable<void> Reporter::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

asio::awaitable<void> Reporter::run() {
    Duration backoff = kBackoffFirst;
    while (!tasks_.cancelled()) {
        const Duration interval = clock_.now() < quick_until_ ? limits_.announce_interval / kQuicker
                                                              : limits_.announce_interval;
        TimePoint next_announcement = clock_.now() + interval;
        // What is reported must not be forgotten by a crash: nothing that has come since.
        const std::uint64_t through = ledger_.core().last_seq();
        auto durable = co_await ledger_.durable();
        if (!durable) {
            logger_.error("reports_end", {{"reason", durable.error().message}});
            co_return;
        }
        const auto next = ledger_.core().changes_after(sent_seq_, 1);
        if (!next.empty() && next.front().first > through) continue;
        Batch batch = build(through);
        auto answer = co_await send(std::move(batch.body));
        const Result<void> done =
            answer ? take_in(batch.report, *answer) : Result<void>(answer.error());
        if (!done) {
            ++counters_.failures;
            if (std::exchange(connected_, false) || counters_.failures == 1)
                logger_.warning("report_failed",
                                {{"to", status_service_}, {"reason", done.error().message}});
            co_await clock_.wait_until(clock_.now() + backoff);
            backoff = std::min(backoff * 2, limits_.backoff_max);
            continue;
        }
        backoff = kBackoffFirst;
        reached_at_ = clock_.now();
        if (!std::exchange(connected_, true))
            logger_.info("reports_flow", {{"to", status_service_}});
        if (!batch.report.entries.empty()) {
            quick_until_ = clock_.now() + kQuickFor * limits_.announce_interval;
            next_announcement =
                std::min(next_announcement, clock_.now() + limits_.announce_interval / kQuicker);
        }
        co_await wait_for_news(next_announcement);
    }
}

// A step of a run goes at once; progress and usage wait for company, but not for long.
asio::awaitable<void> Reporter::wait_for_news(TimePoint next_announcement) {
    std::optional<TimePoint> progress_due;
    if (is_stale_) next_announcement = std::min(next_announcement, announced_at_ + kAnnouncePause);
    while (!tasks_.cancelled()) {
        const TimePoint now = clock_.now();
        const HostCore& core = ledger_.core();
        if (core.is_urgent_after(sent_seq_) || now >= next_announcement) co_return;
        if (!progress_due && !core.changes_after(sent_seq_, 1).empty())
            progress_due = now + limits_.progress_wait;
        if (progress_due && *progress_due <= now) co_return;
        const TimePoint until =
            std::min(next_announcement, progress_due.value_or(TimePoint::max()));
        (void)co_await ledger_.changed().wait_until(clock_, until);
    }
}

Reporter::Batch Reporter::build(std::uint64_t through) {
    std::size_t entries_max = limits_.entries_max;
    while (true) {
        Batch batch{build(through, entries_max), {}};
        batch.body = wire::to_json(batch.report).dump();
        const std::size_t count = batch.report.entries.size();
        if (batch.body.size() <= limits_.bytes_max || count <= 1) return batch;
        ++counters_.splits;
        entries_max = count / 2;
    }
}

wire::Report Reporter::build(std::uint64_t through, std::size_t entries_max) {
    const HostCore& core = ledger_.core();
    const auto changes = core.changes_after(sent_seq_, entries_max + 1);
    announce(!changes.empty());
    wire::Report report;
    report.host = announced_;
    report.host.last_seq = std::max(through, sent_seq_);
    std::size_t bytes = 0;
    for (const auto& [seq, key] : changes) {
        if (seq > through) break;
        wire::StatusEntry entry = ledger_.entry(key);
        bytes += weight(entry);
        const bool full = report.entries.size() >= entries_max || bytes > limits_.bytes_max;
        if (full && !report.entries.empty()) {
            // The rest goes with the next one, which begins where this one ends.
            report.host.last_seq = seq - 1;
            break;
        }
        report.entries.push_back(std::move(entry));
    }
    if (!report.entries.empty()) report.first_seq = sent_seq_ + 1;
    const bool tells_all = report.host.last_seq == core.last_seq();
    if (tells_all && clock_.now() >= digest_at_) report.host.digest = core.digest();
    return report;
}

void Reporter::announce(bool has_changes) {
    const TimePoint now = clock_.now();
    is_stale_ = has_changes && now < announced_at_ + kAnnouncePause;
    if (is_stale_) return;
    announced_ = announce_();
    announced_at_ = now;
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

Result<void> Reporter::take_in(const wire::Report& report, const wire::ReportAnswer& answer) {
    if (answer.epoch_floor != 0) return raise_epoch(answer.epoch_floor);
    was_accepted_ = true;
    ++counters_.announcements;
    if (!report.entries.empty()) {
        ++counters_.batches;
        counters_.entries += report.entries.size();
    }
    for (const std::string& refused : answer.refused)
        logger_.error("entry_refused", {{"reason", refused}});
    if (report.host.digest) digest_at_ = clock_.now() + limits_.digest_interval;
    sent_seq_ = report.host.last_seq;
    if (answer.drain) drain_(*answer.drain);
    if (!answer.snapshot_please) return {};
    ++counters_.snapshots;
    sent_seq_ = 0;
    return {};
}

// A host whose journal and clock were set back may go on above what was heard of it before. One
// that was accepted and is overtaken has a double: it must not win its name back.
Result<void> Reporter::raise_epoch(Epoch floor) {
    if (was_accepted_)
        return make_error(Errc::stale, "another host speaks under this name, with epoch " +
                                           std::to_string(floor) + "; this one is not heard");
    Records out;
    ledger_.core().raise_epoch(floor, out);
    ledger_.stage(std::move(out));
    logger_.warning("epoch_raised", {{"epoch", ledger_.core().epoch()}});
    sent_seq_ = 0;
    announced_at_ = TimePoint{};
    is_stale_ = true;  // speak again at once
    return {};
}

}  // namespace longhaul::host_agent
