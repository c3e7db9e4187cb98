// What the tests of the journal share: a FileJournal over a MemoryDisk on virtual time.
#pragma once

#include "longhaul/journal/file_journal.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"

#include <string>
#include <vector>

namespace longhaul::journal {

using Records = std::vector<std::string>;

inline FileJournalOptions small_options() {
    FileJournalOptions options;
    options.folder = "j";
    options.first_segment_bytes = 8 * 1024;
    options.segment_bytes = 16 * 1024;
    options.record_bytes_max = 4 * 1024;
    options.batch_bytes_max = 6 * 1024;
    options.salt = 42;
    return options;
}

inline Result<Records> read_all(port::Journal& journal, port::Position from = 1) {
    Records found;
    port::Position expected = 0;
    const auto replayed =
        journal.replay(from, [&](port::Position position, std::string_view record) -> Result<void> {
            CHECK((expected == 0 || position == expected));
            expected = position + 1;
            found.emplace_back(record);
            return {};
        });
    if (!replayed) {
        return replayed.error();
    }
    return found;
}

inline Records numbered(int from, int count, std::size_t padding = 0) {
    Records records;
    for (int i = from; i < from + count; ++i) {
        records.push_back("record " + std::to_string(i) + std::string(padding, '.'));
    }
    return records;
}

struct JournalFixture {
    explicit JournalFixture(std::uint64_t seed = 1) : disk{seed} {}

    test::FakeClock clock;
    boost::asio::io_context context;
    system::InlineWorkers workers;
    test::MemoryDisk disk;
    FileJournalOptions options = small_options();

    Result<std::unique_ptr<FileJournal>> open() {
        return FileJournal::open(disk, clock, workers, options);
    }
    Result<port::Position> append(port::Journal& journal, Records records) {
        return test::run_task(context, clock, journal.append(std::move(records)));
    }
    // Runs run() for `span` of virtual time and cancels it; at its end it seals.
    void let_run(FileJournal& journal, Duration span);
};

}  // namespace longhaul::journal
