#include "gateway/driver/feeder.hpp"

#include "longhaul/base/time.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::gateway {
namespace {

// The view is flushed and the journal trimmed after this many records,
constexpr port::Position kTrimEvery = 200'000;
constexpr std::uint64_t kTrimBytes = std::uint64_t{256} << 20;  // or once it is this large
constexpr port::Position kTrimLeast = 5'000;                    // but not for less than this
constexpr Duration kRetryAfter = std::chrono::seconds(1);

}  // namespace

Feeder::Feeder(boost::asio::any_io_executor executor, View& view, port::Journal& journal,
               port::Workers& workers, port::Clock& clock, Logger logger,
               std::function<void(port::Position)> on_applied)
    : view_(view),
      journal_(journal),
      workers_(workers),
      clock_(clock),
      logger_(std::move(logger)),
      on_applied_(std::move(on_applied)),
      work_(executor),
      done_(executor),
      applied_(view.applied()),
      trimmed_at_(journal.opening().first - 1) {}

void Feeder::feed(std::vector<PositionedRecord> records) {
    for (PositionedRecord& record : records) pending_.push_back(std::move(record));
    work_.notify_all();
}

boost::asio::awaitable<bool> Feeder::wait_applied(port::Position position, TimePoint until) {
    while (applied_ < position) {
        const bool notified = co_await done_.wait_until(clock_, until);
        if (!notified && applied_ < position) co_return false;
    }
    co_return true;
}

boost::asio::awaitable<void> Feeder::run() {
    while (!stopping_ || !pending_.empty()) {
        if (pending_.empty()) {
            co_await work_.wait();
            continue;
        }
        std::vector<PositionedRecord> batch = std::exchange(pending_, {});
        Result<void> applied;
        std::function<void()> job = [this, &batch, &applied] { applied = view_.apply(batch); };
        co_await workers_.run(std::move(job));
        if (!applied) {
            note_failure(applied.error());
            // Kept, in order, for the next try.
            batch.insert(batch.end(), std::make_move_iterator(pending_.begin()),
                         std::make_move_iterator(pending_.end()));
            pending_ = std::move(batch);
            if (stopping_) co_return;  // the journal has it
            co_await clock_.wait_until(clock_.now() + kRetryAfter);
            continue;
        }
        failure_.clear();
        applied_ = batch.back().position;
        on_applied_(applied_);
        done_.notify_all();
        co_await trim_when_due();
    }
}

void Feeder::note_failure(const Error& error) {
    if (failure_.empty()) failing_since_ = clock_.now();
    if (failure_ != error.message) logger_.error("view_failed", {{"why", error.message}});
    failure_ = error.message;
    if (!on_failure_ || clock_.now() - failing_since_ < give_up_after_) return;
    on_failure_(make_error(Errc::io_failed,
                           "the view could not be written for " + format_duration(give_up_after_) +
                               "; the next start rebuilds it from the journal: " + failure_));
}

boost::asio::awaitable<void> Feeder::trim_when_due() {
    const bool due = applied_ - trimmed_at_ >= kTrimEvery ||
                     (journal_.bytes() > kTrimBytes && applied_ - trimmed_at_ >= kTrimLeast);
    if (!due) co_return;
    trimmed_at_ = applied_;
    Result<port::Position> persisted = port::Position{0};
    std::function<void()> job = [this, &persisted] {
        const auto flushed = view_.flush();
        persisted = flushed ? view_.persisted() : Result<port::Position>(flushed.error());
    };
    co_await workers_.run(std::move(job));
    if (persisted && held_) persisted = std::min(*persisted, held_());
    // The journal belongs to this executor: trimmed here, not on the worker.
    const Result<void> trimmed =
        persisted ? journal_.trim(*persisted + 1) : Result<void>(persisted.error());
    if (!trimmed) logger_.warning("trim_failed", {{"why", trimmed.error().message}});
}

void Feeder::stop() {
    stopping_ = true;
    work_.notify_all();
}

}  // namespace longhaul::gateway
