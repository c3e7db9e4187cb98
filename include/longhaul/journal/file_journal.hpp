// The Journal in files: one write and one fdatasync per batch, into space that was zeroed before.
//
// Runs on one executor; not thread-safe. While syncs are short it blocks in append() for the length
// of one; while they are long it waits for a thread of Workers, so that its executor serves others.
//   (1) append() answers only when its batch is durable; batches form a chain by their checksums.
//   (2) After a failed write or sync nothing is acknowledged any more (I12): open the journal anew.
//   (3) A bad batch is a torn tail only if no later header lies behind it; it is cut and reported.
//       Any other damage is Errc::corrupt, naming segment and offset, and nothing is deleted.
//   (4) What open() reports as the last position is durable: it writes the last batch once more and
//       seals it, in case an earlier process died between write and sync, or its sync failed.
//   (5) There is always room for one more seal in the current segment.
// Format: journal/batch_codec.hpp. The folder: journal/segment_store.hpp.
#pragma once

#include "longhaul/journal/segment_store.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/journal.hpp"
#include "longhaul/port/workers.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::journal {

struct FileJournalOptions {
    std::string folder;                               // made if missing
    std::uint64_t first_segment_bytes = 16ULL << 20;  // also of one that an append must make itself
    std::uint64_t segment_bytes = 64ULL << 20;        // of those prepared in the background
    std::uint64_t record_bytes_max = 16ULL << 20;     // one record
    std::uint64_t batch_bytes_max = 32ULL << 20;      // all records of one append, with their sizes
    Duration seal_after = std::chrono::milliseconds{20};
    Duration prepare_retry = std::chrono::seconds{1};  // after a failed preparation
    // While commits take less than this, on the mean, they are done on the caller's thread: a short
    // sync costs less than two hops to another thread.
    Duration commit_inline_below = std::chrono::milliseconds{2};
    port::Workers* committer = nullptr;  // for the others; null: the workers of open()
    std::uint64_t salt = 0;              // unpredictable bits, from port::Random
};

class FileJournal final : public port::Journal {
public:
    // Blocking. Errc::conflict: another process has it open. Errc::corrupt: see (3).
    [[nodiscard]] static Result<std::unique_ptr<FileJournal>> open(port::Disk& disk,
                                                                   port::Clock& clock,
                                                                   port::Workers& workers,
                                                                   FileJournalOptions options);
    // REQUIRES: run() and append() have returned.
    ~FileJournal() override;
    FileJournal(const FileJournal&) = delete;
    FileJournal& operator=(const FileJournal&) = delete;

    // Seals when idle and prepares the next segment, until cancelled; then seals once more. The
    // owner starts it in its TaskGroup. Without it the journal is as correct: the last batch stays
    // unsealed longer, and an append that needs a new segment zeroes it itself.
    boost::asio::awaitable<void> run();

    // Errc::too_large (a record or the batch over its limit) writes nothing and stops nothing.
    // No records: answers the last position at once.
    boost::asio::awaitable<Result<port::Position>> append(
        std::vector<std::string> records) override;
    // A `from` before the first position there begins with that.
    [[nodiscard]] Result<void> replay(port::Position from, const Visitor& each) override;
    [[nodiscard]] Result<void> trim(port::Position before) override;
    [[nodiscard]] port::JournalOpening opening() const override { return opening_; }
    [[nodiscard]] std::uint64_t bytes() const override;

    [[nodiscard]] port::Position first() const { return segments_.front().first; }
    [[nodiscard]] port::Position last() const { return durable_; }
    [[nodiscard]] std::size_t segment_count() const { return segments_.size(); }
    // Why nothing is acknowledged any more; also known when a seal failed, before any append asks.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    // Why the last preparation in the background failed (such as disk-full), until one succeeds.
    [[nodiscard]] const std::optional<Error>& preparation_error() const { return prepare_error_; }

private:
    struct Commit;
    class Wakeup;
    class Recovery;
    class Replay;

    FileJournal(port::Disk& disk, port::Clock& clock, port::Workers& workers,
                FileJournalOptions options);

    [[nodiscard]] Result<void> create_first();

    [[nodiscard]] Result<void> check_limits(const std::vector<std::string>& records) const;
    [[nodiscard]] Commit plan(const std::vector<std::string>& records);
    [[nodiscard]] Result<void> write(Commit& commit);
    void observe_commit(Duration took);
    void apply(Commit& commit);
    boost::asio::awaitable<Result<void>> commit_records(std::vector<std::string> records);

    boost::asio::awaitable<void> prepare();
    [[nodiscard]] bool wants_preparation() const;
    void seal_now();
    [[nodiscard]] Error stopped_error() const;
    [[nodiscard]] std::uint64_t draw_salt(port::Position first) const;

    // Constant after construction.
    port::Clock& clock_;
    port::Workers& workers_;  // for preparations
    const FileJournalOptions options_;

    SegmentStore store_;
    port::JournalOpening opening_;

    // Never empty once open; the last is the current one.
    std::vector<Segment> segments_;

    // The end of the current segment, as far as it is durable.
    std::unique_ptr<port::File> file_;
    std::uint64_t salt_ = 0;
    std::uint64_t offset_ = 0;
    port::Position durable_ = 0;
    std::uint32_t last_crc_ = 0;
    bool sealed_ = true;  // also while there is no batch at all
    TimePoint last_append_{};

    // A commit (of an append or of a seal) is being written.
    bool busy_ = false;
    bool rolling_ = false;  // into a new segment: the prepared one is being taken
    bool appending_ = false;
    Duration mean_commit_{};  // exponential, of recent ones
    std::optional<Error> failure_;
    std::vector<std::byte> buffer_;  // reused: what a commit writes

    // The next segment, ready to be taken.
    std::unique_ptr<port::File> prepared_;
    std::uint64_t preparing_bytes_ = 0;
    std::optional<Error> prepare_error_;
    TimePoint prepare_not_before_{};

    // Where run() and an append that meets a seal under way wait.
    Wakeup* run_wakeup_ = nullptr;
    Wakeup* append_wakeup_ = nullptr;
};

}  // namespace longhaul::journal
