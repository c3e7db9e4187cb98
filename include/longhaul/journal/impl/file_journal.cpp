#include "longhaul/journal/file_journal.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"
#include "longhaul/journal/impl/file_journal_state.hpp"

#include <boost/asio/this_coro.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace longhaul::journal {

namespace asio = boost::asio;

FileJournal::FileJournal(port::Disk& disk, port::Clock& clock, port::Workers& workers,
                         FileJournalOptions options)
    : clock_{clock},
      workers_{workers},
      options_{std::move(options)},
      store_{disk, options_.folder} {}

FileJournal::~FileJournal() {
    LH_ASSERT(!appending_);
    LH_ASSERT(run_wakeup_ == nullptr);
}

asio::awaitable<Result<port::Position>> FileJournal::append(std::vector<std::string> records) {
    LH_ASSERT(!appending_);
    if (failure_) {
        co_return stopped_error();
    }
    if (auto within = check_limits(records); !within) {
        co_return within.error();
    }
    if (records.empty()) {
        co_return durable_;
    }
    // Also when the coroutine is cancelled in between, or destroyed.
    const Held<bool> appending{appending_, true};
    if (busy_) {
        Wakeup wakeup{co_await asio::this_coro::executor};
        const Held<Wakeup*> registered{append_wakeup_, &wakeup};
        while (busy_) {
            co_await wakeup.wait();
        }
    }
    Result<void> committed = failure_ ? Result<void>{stopped_error()} : Result<void>{};
    if (committed) {
        committed = co_await commit_records(std::move(records));
    }
    if (!committed) {
        co_return committed.error();
    }
    co_return durable_;
}

// The only place that writes batches once the journal is open. No records: a seal.
asio::awaitable<Result<void>> FileJournal::commit_records(std::vector<std::string> records) {
    busy_ = true;
    Commit commit = plan(records);
    rolling_ = commit.rolls;
    Result<void> written;
    const TimePoint begun = clock_.now();
    if (mean_commit_ < options_.commit_inline_below) {
        written = write(commit);
    } else {
        port::Workers& committer = options_.committer != nullptr ? *options_.committer : workers_;
        std::function<void()> job = [this, &commit, &written] { written = write(commit); };
        co_await committer.run(std::move(job));
    }
    observe_commit(clock_.now() - begun);
    busy_ = false;
    rolling_ = false;
    if (written) {
        apply(commit);
    } else {
        failure_ = written.error();
    }
    if (append_wakeup_ != nullptr) {
        append_wakeup_->notify();
    }
    if (run_wakeup_ != nullptr && (failure_ || !sealed_)) {
        run_wakeup_->notify();
    }
    co_return written;
}

void FileJournal::observe_commit(Duration took) {
    constexpr int kWeight = 8;  // one slow sync among fast ones is no slow disk
    mean_commit_ += (took - mean_commit_) / kWeight;
}

Result<void> FileJournal::check_limits(const std::vector<std::string>& records) const {
    std::uint64_t total = kHeaderBytes;
    for (const auto& record : records) {
        if (record.size() > options_.record_bytes_max) {
            return make_error(Errc::too_large,
                              fmt::format("a record of {} bytes is over the journal's limit of {} "
                                          "(record_bytes_max)",
                                          record.size(), options_.record_bytes_max));
        }
        total += record.size() + kRecordOverheadBytes;
    }
    if (total > options_.batch_bytes_max) {
        return make_error(Errc::too_large,
                          fmt::format("a batch of {} bytes is over the journal's limit of {} "
                                      "(batch_bytes_max)",
                                      total, options_.batch_bytes_max));
    }
    return {};
}

FileJournal::Commit FileJournal::plan(const std::vector<std::string>& records) {
    const std::uint64_t size = batch_bytes(records);
    Commit commit;
    commit.header = BatchHeader{
        .first = durable_ + 1, .previous_crc = last_crc_, .durable = durable_, .salt = salt_};
    commit.file = file_.get();
    commit.offset = offset_;
    buffer_.clear();
    // A seal always fits: invariant (5).
    if (!records.empty() && offset_ + size + kBlockBytes > segments_.back().bytes) {
        const std::uint64_t needed = kBlockBytes + size + kBlockBytes;
        commit.rolls = true;
        commit.takes_prepared = prepared_ != nullptr && options_.segment_bytes >= needed;
        commit.new_salt = draw_salt(durable_ + 1);
        commit.new_segment.first = durable_ + 1;
        commit.new_segment.bytes =
            commit.takes_prepared ? options_.segment_bytes
                                  : align_to_block(std::max(options_.first_segment_bytes, needed));
        commit.offset = 0;
        commit.header.salt = commit.new_salt;
        commit.file = nullptr;
        if (commit.takes_prepared) {
            commit.new_file = std::move(prepared_);
            preparing_bytes_ = 0;
        }
        append_segment_header(buffer_, SegmentHeader{.first = durable_ + 1,
                                                     .bytes = commit.new_segment.bytes,
                                                     .previous_crc = last_crc_,
                                                     .salt = commit.new_salt});
    }
    commit.header.count = static_cast<std::uint32_t>(records.size());
    commit.crc = append_batch(buffer_, commit.header, records);
    return commit;
}

// Blocking. Header and first batch of a new segment are durable before it has its name: so a
// segment that exists is whole at its beginning.
Result<void> FileJournal::write(Commit& commit) {
    if (commit.rolls && !commit.takes_prepared) {
        auto created = store_.create(kHurriedName);
        if (!created) {
            return created.error();
        }
        commit.new_file = std::move(*created);
        if (auto filled = ZeroFill{*commit.new_file, commit.new_segment.bytes}.finish(); !filled) {
            return filled;
        }
    }
    port::File& file = commit.rolls ? *commit.new_file : *commit.file;
    if (auto written = file.write_at(commit.offset, buffer_); !written) {
        return written;
    }
    if (mutant(Mutant::sync_skipped) && !commit.rolls) {
        return {};
    }
    auto synced = file.sync();
    if (!synced && mutant(Mutant::failed_sync_ignored)) {
        synced = Result<void>{};
    }
    if (!synced || !commit.rolls) {
        return synced;
    }
    return store_.publish(commit.takes_prepared ? kPreparedName : kHurriedName,
                          commit.new_segment.first);
}

void FileJournal::apply(Commit& commit) {
    if (commit.rolls) {
        file_ = std::move(commit.new_file);
        salt_ = commit.new_salt;
        segments_.push_back(commit.new_segment);
    }
    offset_ = commit.offset + buffer_.size();
    durable_ += commit.header.count;
    last_crc_ = commit.crc;
    sealed_ = commit.header.count == 0;
    last_append_ = clock_.now();
}

asio::awaitable<void> FileJournal::run() {
    LH_ASSERT(run_wakeup_ == nullptr);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    Wakeup wakeup{co_await asio::this_coro::executor};
    const Held<Wakeup*> registered{run_wakeup_, &wakeup};
    while (!failure_ && cancellation.cancelled() == asio::cancellation_type::none) {
        if (wants_preparation()) {
            co_await prepare();
        } else if (sealed_ || busy_) {
            co_await wakeup.wait();  // the end of the next append, or of the one under way
        } else if (const TimePoint due = last_append_ + options_.seal_after; clock_.now() < due) {
            co_await clock_.wait_until(due);
        } else {
            std::vector<std::string> seal;
            (void)co_await commit_records(std::move(seal));
        }
    }
    seal_now();
}

// Blocking: at the end of run(), where nothing can be awaited any more.
void FileJournal::seal_now() {
    if (failure_ || sealed_ || busy_) {
        return;
    }
    Commit commit = plan({});
    if (auto written = write(commit); !written) {
        failure_ = written.error();
        return;
    }
    apply(commit);
}

bool FileJournal::wants_preparation() const {
    // Not while the prepared one, which still has that name, is on its way to its own.
    return !rolling_ && prepared_ == nullptr && offset_ * 2 > segments_.back().bytes &&
           clock_.now() >= prepare_not_before_;
}

// Zeroes the next segment in steps, so that nothing waits for long behind it even if the workers
// run inline.
asio::awaitable<void> FileJournal::prepare() {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    Result<std::unique_ptr<port::File>> created{std::unique_ptr<port::File>{}};
    std::function<void()> create = [this, &created] { created = store_.create(kPreparedName); };
    co_await workers_.run(std::move(create));
    std::optional<Error> failure;
    bool done = false;
    if (!created) {
        failure = created.error();
    } else {
        preparing_bytes_ = options_.segment_bytes;
        ZeroFill fill{**created, options_.segment_bytes};
        while (!done && !failure && cancellation.cancelled() == asio::cancellation_type::none) {
            Result<bool> stepped{false};
            std::function<void()> step = [&fill, &stepped] { stepped = fill.step(); };
            co_await workers_.run(std::move(step));
            if (stepped) {
                done = *stepped;
            } else {
                failure = stepped.error();
            }
        }
    }
    prepare_error_ = failure;
    if (done) {
        prepared_ = std::move(*created);
        co_return;
    }
    preparing_bytes_ = 0;
    prepare_not_before_ = clock_.now() + options_.prepare_retry;
    store_.discard(kPreparedName);
}

Result<void> FileJournal::trim(port::Position before) {
    while (segments_.size() > 1 && segments_[1].first <= before) {
        // One by one, each durable: a power cut must leave no gap.
        if (auto removed = store_.remove(segments_.front().first); !removed) {
            return removed;
        }
        segments_.erase(segments_.begin());
        if (auto synced = store_.sync(); !synced) {
            return synced;
        }
    }
    return {};
}

std::uint64_t FileJournal::bytes() const {
    std::uint64_t total = preparing_bytes_;
    for (const auto& segment : segments_) {
        total += segment.bytes;
    }
    return total;
}

Error FileJournal::stopped_error() const {
    return make_error(Errc::unavailable, fmt::format("the journal has stopped after a failure: {}",
                                                     failure_->message));
}

// Differs between openings, too: a segment that was lost with the power may be made again.
std::uint64_t FileJournal::draw_salt(port::Position first) const {
    std::uint64_t mixed = options_.salt ^ (first * 0x9e3779b97f4a7c15ULL) ^
                          static_cast<std::uint64_t>(clock_.now().time_since_epoch().count());
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31);
}

}  // namespace longhaul::journal
