// The Journal in memory: for tests and the simulator. It outlives the component that uses it, as a
// disk does. One thread; each append answers before it returns to the loop.
#pragma once

#include "longhaul/port/journal.hpp"

#include <deque>
#include <optional>
#include <string>

namespace longhaul::journal {

struct MemoryJournalOptions {
    std::uint64_t record_bytes_max = 16ULL << 20;
    std::uint64_t batch_bytes_max = 32ULL << 20;
    std::uint64_t segment_records = 1024;  // trim() drops whole multiples, as segments are dropped
};

class MemoryJournal final : public port::Journal {
public:
    explicit MemoryJournal(MemoryJournalOptions options = {});

    boost::asio::awaitable<Result<port::Position>> append(
        std::vector<std::string> records) override;
    [[nodiscard]] Result<void> replay(port::Position from, const Visitor& each) override;
    [[nodiscard]] Result<void> trim(port::Position before) override;
    [[nodiscard]] port::JournalOpening opening() const override { return opening_; }
    [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

    // The next append fails with `error`, and all later ones until reopen(). With `keep` its
    // records are there nevertheless, as after a sync whose failure came too late.
    void fail_next(Error error, bool keep = false);
    // What a restart does: a failure is forgotten, opening() tells what is there now.
    void reopen();

    [[nodiscard]] port::Position last() const { return first_ + records_.size() - 1; }

private:
    const MemoryJournalOptions options_;
    port::JournalOpening opening_;

    port::Position first_ = 1;
    std::deque<std::string> records_;
    std::uint64_t bytes_ = 0;

    std::optional<Error> next_failure_;
    bool keep_ = false;
    std::optional<Error> failure_;
};

}  // namespace longhaul::journal
