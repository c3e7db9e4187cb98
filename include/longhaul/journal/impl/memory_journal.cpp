#include "longhaul/journal/memory_journal.hpp"

#include "longhaul/journal/batch_codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace longhaul::journal {

namespace asio = boost::asio;

MemoryJournal::MemoryJournal(MemoryJournalOptions options) : options_{options} {}

asio::awaitable<Result<port::Position>> MemoryJournal::append(std::vector<std::string> records) {
    if (failure_) {
        co_return make_error(
            Errc::unavailable,
            fmt::format("the journal has stopped after a failure: {}", failure_->message));
    }
    std::uint64_t total = kHeaderBytes;
    for (const auto& record : records) {
        if (record.size() > options_.record_bytes_max) {
            co_return make_error(
                Errc::too_large,
                fmt::format("a record of {} bytes is over the journal's limit of {} "
                            "(record_bytes_max)",
                            record.size(), options_.record_bytes_max));
        }
        total += record.size() + kRecordOverheadBytes;
    }
    if (total > options_.batch_bytes_max) {
        co_return make_error(Errc::too_large,
                             fmt::format("a batch of {} bytes is over the journal's limit of {} "
                                         "(batch_bytes_max)",
                                         total, options_.batch_bytes_max));
    }
    failure_ = std::exchange(next_failure_, std::nullopt);
    if (!failure_ || keep_) {
        for (auto& record : records) {
            bytes_ += record.size();
            records_.push_back(std::move(record));
        }
    }
    if (failure_) {
        co_return *failure_;
    }
    co_return last();
}

Result<void> MemoryJournal::replay(port::Position from, const Visitor& each) {
    const port::Position end = last() + 1;
    for (port::Position at = std::max(from, first_); at < end; ++at) {
        if (auto visited = each(at, records_[at - first_]); !visited) {
            return visited;
        }
    }
    return {};
}

Result<void> MemoryJournal::trim(port::Position before) {
    while (before >= first_ + options_.segment_records &&
           records_.size() > options_.segment_records) {
        for (std::uint64_t i = 0; i < options_.segment_records; ++i) {
            bytes_ -= records_.front().size();
            records_.pop_front();
        }
        first_ += options_.segment_records;
    }
    return {};
}

void MemoryJournal::fail_next(Error error, bool keep) {
    next_failure_ = std::move(error);
    keep_ = keep;
}

void MemoryJournal::reopen() {
    next_failure_.reset();
    failure_.reset();
    opening_.first = first_;
    opening_.last = last();
}

}  // namespace longhaul::journal
