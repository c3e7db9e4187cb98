#include "host_agent/driver/ledger.hpp"

#include "host_agent/driver/record_codec.hpp"
#include "longhaul/base/assert.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

Ledger::Ledger(asio::any_io_executor executor, const port::Clock& clock, Logger logger,
               const CoreLimits& limits, std::uint32_t compact_records)
    : clock_(clock),
      logger_(std::move(logger)),
      compact_records_(compact_records),
      core_(limits),
      staged_some_(executor),
      progressed_(executor),
      changed_(executor) {}

Result<void> Ledger::replay(port::Journal& journal) {
    journal_ = &journal;
    const auto each = [this](port::Position, std::string_view bytes) -> Result<void> {
        auto record = decode_record(bytes);
        if (!record) return record.error();
        ++since_snapshot_;
        return take_in(*record);
    };
    if (auto done = journal.replay(journal.opening().first, each); !done) return done;
    Records out;
    core_.begin_epoch(clock_.now(), out);
    sweep();
    stage(std::move(out));
    return {};
}

Result<void> Ledger::take_in(const Record& record) {
    core_.apply(record);
    if (std::holds_alternative<SnapshotBegun>(record)) {
        kept_.clear();
        since_snapshot_ = 0;
    }
    const Ended* ended = std::get_if<Ended>(&record);
    if (ended == nullptr || core_.run(ended->key) == nullptr) return {};
    auto entry = wire::decode<wire::StatusEntry>(ended->status);
    if (!entry)
        return make_error(Errc::corrupt, "the journalled end of " + ended->key.invocation.text +
                                             " cannot be read: " + entry.error().message);
    kept_[ended->key] = Kept{std::move(*entry), ended->at};
    return {};
}

asio::awaitable<void> Ledger::run() {
    while (true) {
        while (waiting_.empty() && !stopping_) co_await staged_some_.wait();
        if (waiting_.empty() || failure_) break;
        std::vector<std::string> batch = std::exchange(waiting_, {});
        const Ticket last = staged_;
        const std::size_t count = batch.size();
        auto position = co_await journal_->append(std::move(batch));
        if (!position) {
            failure_ = position.error();
            logger_.error("journal_failed", {{"reason", failure_->message}});
            progressed_.notify_all();
            if (on_failure_) on_failure_(*failure_);
            break;
        }
        durable_ = last;
        counters_.records += count;
        ++counters_.batches;
        progressed_.notify_all();
        if (snapshot_begin_ != 0 && snapshot_begin_ <= durable_) {
            const port::Position first = *position - (durable_ - snapshot_begin_);
            snapshot_begin_ = 0;
            if (auto trimmed = journal_->trim(first); !trimmed)
                logger_.warning("journal_not_trimmed", {{"reason", trimmed.error().message}});
        }
    }
}

void Ledger::stop() {
    stopping_ = true;
    staged_some_.notify_all();
}

Ledger::Ticket Ledger::stage(Records records) {
    if (records.empty()) return staged_;
    for (const Record& record : records) waiting_.push_back(encode_record(record));
    staged_ += records.size();
    since_snapshot_ += records.size();
    if (since_snapshot_ > compact_records_ && since_snapshot_ > 4 * snapshot_size_)
        stage_snapshot();
    staged_some_.notify_all();
    return staged_;
}

// The core's state is exactly what all records staged so far say, so a snapshot behind them
// replaces them.
void Ledger::stage_snapshot() {
    Records records = core_.snapshot();
    for (Record& record : records) {
        Ended* ended = std::get_if<Ended>(&record);
        if (ended == nullptr) continue;
        const auto place = kept_.find(ended->key);
        LH_ASSERT(place != kept_.end());
        ended->status = wire::to_json(place->second.entry).dump();
        ended->at = place->second.at;
    }
    snapshot_begin_ = staged_ + 1;
    for (const Record& record : records) waiting_.push_back(encode_record(record));
    staged_ += records.size();
    snapshot_size_ = records.size();
    since_snapshot_ = 0;
    ++counters_.snapshots;
}

asio::awaitable<Result<void>> Ledger::durable(Ticket ticket) {
    while (durable_ < ticket && !failure_) co_await progressed_.wait();
    if (durable_ >= ticket) co_return Result<void>{};
    co_return make_error(Errc::unavailable, "the host's journal failed: " + failure_->message,
                         "store-unavailable");
}

void Ledger::keep(const RunKey& key, wire::StatusEntry entry) {
    kept_[key] = Kept{std::move(entry), clock_.now()};
}

wire::StatusEntry Ledger::entry(const RunKey& key) const {
    const Run* run = core_.run(key);
    LH_ASSERT(run != nullptr);
    const auto place = kept_.find(key);
    if (place == kept_.end()) {
        wire::StatusEntry entry;
        entry.key = wire_key(key);
        entry.token = run->token;
        entry.instance = run->instance;
        entry.rank = wire::Rank::dispatched;
        return entry;
    }
    wire::StatusEntry entry = place->second.entry;
    const std::int64_t passed = std::max<std::int64_t>(0, to_ms(clock_.now() - place->second.at));
    if (entry.started_ms_ago) *entry.started_ms_ago += passed;
    if (entry.ended_ms_ago) *entry.ended_ms_ago += passed;
    if (const Instance* leased = core_.leased_after(clock_.now(), key))
        entry.lease = wire::InstanceLease{leased->lease_address, leased->lease->run_token,
                                          to_ms(leased->lease_until - clock_.now())};
    return entry;
}

void Ledger::sweep() {
    std::erase_if(kept_, [this](const auto& kept) { return core_.run(kept.first) == nullptr; });
}

RunKey run_key(const wire::AttemptKey& key) { return {key.invocation, key.attempt}; }

wire::AttemptKey wire_key(const RunKey& key) { return {key.invocation, key.attempt}; }

}  // namespace longhaul::host_agent
