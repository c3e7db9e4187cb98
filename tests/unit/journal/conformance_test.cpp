// What every Journal promises, on each of them.
#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/system/disk.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

#include <functional>

namespace longhaul::journal {

namespace {

// A journal that can be closed and opened again.
struct Subject {
    std::function<port::Journal&()> open;
    std::function<Result<port::Position>(Records)> append;
};

void with_file_journal(JournalFixture& fixture, port::Disk& disk, port::Workers& workers,
                       const std::function<void(Subject&)>& promise) {
    std::unique_ptr<FileJournal> journal;
    Subject subject;
    subject.open = [&]() -> port::Journal& {
        journal.reset();
        journal = FileJournal::open(disk, fixture.clock, workers, fixture.options).value();
        return *journal;
    };
    subject.append = [&](Records records) {
        return test::run_task(fixture.context, journal->append(std::move(records)));
    };
    promise(subject);
}

void with_each_journal(const std::function<void(Subject&)>& promise) {
    JournalFixture fixture;
    SECTION("FileJournal on a MemoryDisk") {
        with_file_journal(fixture, fixture.disk, fixture.workers, promise);
    }
    SECTION("FileJournal on a real disk") {
        const test::TempFolder folder;
        system::PosixDisk disk;
        fixture.options.folder = folder / "journal";
        with_file_journal(fixture, disk, fixture.workers, promise);
    }
    SECTION("FileJournal on a real disk, committing on threads") {
        const test::TempFolder folder;
        system::PosixDisk disk;
        system::ThreadWorkers workers{2};
        fixture.options.folder = folder / "journal";
        fixture.options.commit_inline_below = Duration::zero();
        with_file_journal(fixture, disk, workers, promise);
    }
    SECTION("MemoryJournal") {
        MemoryJournal journal{
            {.record_bytes_max = 4 * 1024, .batch_bytes_max = 6 * 1024, .segment_records = 4}};
        Subject subject;
        subject.open = [&]() -> port::Journal& {
            journal.reopen();
            return journal;
        };
        subject.append = [&](Records records) {
            return test::run_task(fixture.context, journal.append(std::move(records)));
        };
        promise(subject);
    }
}

}  // namespace

TEST_CASE("a new journal is empty") {
    with_each_journal([](Subject& subject) {
        auto& journal = subject.open();
        CHECK(journal.opening().first == 1);
        CHECK(journal.opening().last == 0);
        CHECK(journal.opening().cut_tail.empty());
        CHECK(read_all(journal).value().empty());
        CHECK(subject.append({}).value() == 0);
    });
}

TEST_CASE("appended records are replayed in order, before and after opening again") {
    with_each_journal([](Subject& subject) {
        auto& journal = subject.open();
        CHECK(subject.append({"a"}).value() == 1);
        CHECK(subject.append({"b", "", "c"}).value() == 4);
        CHECK(subject.append({}).value() == 4);
        CHECK(read_all(journal).value() == Records{"a", "b", "", "c"});
        auto& again = subject.open();
        CHECK(again.opening().last == 4);
        CHECK(again.opening().cut_tail.empty());
        CHECK(read_all(again).value() == Records{"a", "b", "", "c"});
        CHECK(read_all(again, 3).value() == Records{"", "c"});
        CHECK(read_all(again, 5).value().empty());
        CHECK(subject.append({"d"}).value() == 5);
        CHECK(read_all(again, 4).value() == Records{"c", "d"});
    });
}

TEST_CASE("binary records of every size come back as they were") {
    with_each_journal([](Subject& subject) {
        subject.open();
        test::SeededRandom random{3};
        Records expected;
        for (std::size_t size = 0; size < 1200; size += 7) {
            std::string record(size, '\0');
            for (char& c : record) {
                c = static_cast<char>(random.next());
            }
            expected.push_back(record);
            REQUIRE(subject.append({record}));
        }
        CHECK(read_all(subject.open()).value() == expected);
    });
}

TEST_CASE("records and batches over their limit are refused and stop nothing") {
    with_each_journal([](Subject& subject) {
        auto& journal = subject.open();
        REQUIRE(subject.append({std::string(4 * 1024, 'x')}));
        const auto record = subject.append({std::string(4 * 1024 + 1, 'x')});
        REQUIRE_FALSE(record);
        CHECK(record.error().code == Errc::too_large);
        CHECK(record.error().message.find("4096") != std::string::npos);
        const auto batch = subject.append(Records(4, std::string(2 * 1024, 'x')));
        REQUIRE_FALSE(batch);
        CHECK(batch.error().code == Errc::too_large);
        CHECK(batch.error().message.find("6144") != std::string::npos);
        CHECK(subject.append({"fits"}).value() == 2);
        CHECK(read_all(journal, 2).value() == Records{"fits"});
    });
}

TEST_CASE("a replay ends at the first error of its visitor") {
    with_each_journal([](Subject& subject) {
        auto& journal = subject.open();
        REQUIRE(subject.append({"a", "b", "c"}));
        int seen = 0;
        const auto stopped =
            journal.replay(1, [&](port::Position, std::string_view) -> Result<void> {
                if (++seen == 2) {
                    return make_error(Errc::refused, "enough");
                }
                return {};
            });
        REQUIRE_FALSE(stopped);
        CHECK(stopped.error().code == Errc::refused);
        CHECK(seen == 2);
    });
}

TEST_CASE("a trim drops whole segments from the beginning and nothing that was to stay") {
    with_each_journal([](Subject& subject) {
        auto& journal = subject.open();
        for (int i = 1; i <= 60; ++i) {
            REQUIRE(subject.append(numbered(i, 1, 1000)).value() == static_cast<port::Position>(i));
        }
        const std::uint64_t before = journal.bytes();
        REQUIRE(journal.trim(1));
        CHECK(read_all(journal).value() == numbered(1, 60, 1000));
        REQUIRE(journal.trim(40));
        CHECK(journal.bytes() < before);
        auto& again = subject.open();
        const auto first = again.opening().first;
        CHECK(first > 1);
        CHECK(first <= 40);
        CHECK(again.opening().last == 60);
        const int from = static_cast<int>(first);
        CHECK(read_all(again).value() == numbered(from, 61 - from, 1000));
        CHECK(read_all(again, 45).value() == numbered(45, 16, 1000));
        REQUIRE(again.trim(1'000'000));
        CHECK(subject.append({"next"}).value() == 61);
        CHECK(read_all(again, 61).value() == Records{"next"});
    });
}

}  // namespace longhaul::journal
