// FileJournal: segments, seals, preparation, the lock, and failures of the disk (I1, I12).
#include "tests/unit/journal/journal_fixture.hpp"

#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/system/disk.hpp"
#include "tests/support/temp_folder.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

namespace longhaul::journal {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DiskOp;

TEST_CASE("an append in the middle of a segment is one write and one sync") {
    JournalFixture fixture;
    const auto journal = fixture.open().value();
    REQUIRE(fixture.append(*journal, {"first"}));
    const auto writes = fixture.disk.calls(DiskOp::write);
    const auto syncs = fixture.disk.calls(DiskOp::sync);
    const auto all = fixture.disk.changing_calls();
    REQUIRE(fixture.append(*journal, {"second", "third"}));
    CHECK(fixture.disk.calls(DiskOp::write) == writes + 1);
    CHECK(fixture.disk.calls(DiskOp::sync) == syncs + 1);
    CHECK(fixture.disk.changing_calls() == all + 2);
}

TEST_CASE("a second opener is refused until the first has gone, with a message that says so") {
    JournalFixture fixture;
    auto journal = fixture.open().value();
    const auto second = fixture.open();
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::conflict);
    CHECK(second.error().message == "the journal in j is in use by another process");
    journal.reset();
    CHECK(fixture.open());

    const test::TempFolder folder;
    system::PosixDisk disk;
    fixture.options.folder = folder / "deep/journal";
    const auto real = FileJournal::open(disk, fixture.clock, fixture.workers, fixture.options);
    REQUIRE(real);
    CHECK(FileJournal::open(disk, fixture.clock, fixture.workers, fixture.options).error().code ==
          Errc::conflict);
}

TEST_CASE("records roll over many segments, with or without preparation in the background") {
    for (const bool prepared : {false, true}) {
        JournalFixture fixture;
        {
            const auto journal = fixture.open().value();
            for (int i = 1; i <= 100; ++i) {
                REQUIRE(fixture.append(*journal, numbered(i, 1, 500)));
                if (prepared) {
                    fixture.let_run(*journal, seconds{1});
                }
            }
            CHECK(journal->segment_count() >= 5);
            CHECK(read_all(*journal).value() == numbered(1, 100, 500));
        }
        const auto journal = fixture.open().value();
        CHECK(read_all(*journal).value() == numbered(1, 100, 500));
        CHECK(read_all(*journal, 57).value() == numbered(57, 44, 500));
    }
}

TEST_CASE("an append takes the prepared segment and zeroes nothing itself") {
    JournalFixture fixture;
    const auto journal = fixture.open().value();
    while (journal->segment_count() == 1 && !fixture.disk.exists("j/next.prepared")) {
        REQUIRE(fixture.append(*journal, {std::string(500, 'x')}));
        fixture.let_run(*journal, milliseconds{1});
    }
    REQUIRE(fixture.disk.exists("j/next.prepared"));
    CHECK(journal->bytes() == (8 + 16) * 1024);
    while (journal->segment_count() == 1) {
        const auto writes = fixture.disk.calls(DiskOp::write);
        REQUIRE(fixture.append(*journal, {std::string(500, 'x')}));
        CHECK(fixture.disk.calls(DiskOp::write) == writes + 1);
    }
    CHECK_FALSE(fixture.disk.exists("j/next.prepared"));
}

TEST_CASE("a failed preparation is told, harms no append and is tried again") {
    JournalFixture fixture;
    const auto journal = fixture.open().value();
    while (fixture.disk.calls(DiskOp::write) < 12) {
        REQUIRE(fixture.append(*journal, {std::string(300, 'x')}));
    }
    fixture.disk.set_capacity(9 * 1024);
    fixture.let_run(*journal, milliseconds{50});
    REQUIRE(journal->preparation_error());
    CHECK(journal->preparation_error()->type == "disk-full");
    CHECK_FALSE(fixture.disk.exists("j/next.prepared"));
    REQUIRE(fixture.append(*journal, {"goes on"}));
    fixture.disk.set_capacity(1 << 20);
    fixture.clock.advance(seconds{2});
    fixture.let_run(*journal, milliseconds{50});
    CHECK_FALSE(journal->preparation_error());
    CHECK(fixture.disk.exists("j/next.prepared"));
}

TEST_CASE("after an idle while one seal is written, not more") {
    JournalFixture fixture;
    const auto journal = fixture.open().value();
    REQUIRE(fixture.append(*journal, {"a"}));
    const auto writes = fixture.disk.calls(DiskOp::write);
    fixture.let_run(*journal, seconds{10});
    CHECK(fixture.disk.calls(DiskOp::write) == writes + 1);
    REQUIRE(fixture.append(*journal, {"b"}));
    CHECK(read_all(*journal).value() == Records{"a", "b"});
}

TEST_CASE("a sealing journal on threads and appends do not meet") {
    const test::TempFolder folder;
    system::PosixDisk disk;
    system::ThreadWorkers workers{2};
    JournalFixture fixture;
    fixture.options.folder = folder.path();
    fixture.options.commit_inline_below = Duration::zero();
    fixture.options.seal_after = Duration{0};
    const auto journal = FileJournal::open(disk, fixture.clock, workers, fixture.options).value();
    bool ended = false;
    boost::asio::cancellation_signal stop;
    boost::asio::co_spawn(fixture.context, journal->run(),
                          boost::asio::bind_cancellation_slot(
                              stop.slot(), [&](std::exception_ptr) { ended = true; }));
    for (int i = 1; i <= 100; ++i) {
        REQUIRE(test::run_task(fixture.context, journal->append(numbered(i, 1, 200))));
    }
    stop.emit(boost::asio::cancellation_type::terminal);
    fixture.context.restart();
    fixture.context.run();
    CHECK(ended);
    CHECK(read_all(*journal).value() == numbered(1, 100, 200));
}

namespace {

// Each job takes its time, as on a thread whose disk is slow.
class SlowWorkers final : public port::Workers {
public:
    SlowWorkers(port::Clock& clock, Duration pause) : clock_{clock}, pause_{pause} {}

    boost::asio::awaitable<void> run(std::function<void()> job) override {
        const TimePoint until = clock_.now() + pause_;
        co_await clock_.wait_until(until);
        job();
    }

private:
    port::Clock& clock_;
    const Duration pause_;
};

}  // namespace

// Found by the torture test: the next segment was prepared anew, under the same name, while the
// prepared one was still being taken, and what was acknowledged in it was lost.
TEST_CASE("a segment that is being taken is not prepared anew beneath it") {
    JournalFixture fixture;
    SlowWorkers slow{fixture.clock, milliseconds{50}};
    fixture.options.committer = &slow;
    fixture.options.commit_inline_below = Duration::zero();
    fixture.options.seal_after = milliseconds{1};
    {
        const auto journal = fixture.open().value();
        boost::asio::cancellation_signal stop;
        bool ended = false;
        boost::asio::co_spawn(fixture.context, journal->run(),
                              boost::asio::bind_cancellation_slot(
                                  stop.slot(), [&](std::exception_ptr) { ended = true; }));
        for (int i = 1; i <= 120; ++i) {
            REQUIRE(fixture.append(*journal, numbered(i, 1, 400)).value() ==
                    static_cast<port::Position>(i));
        }
        CHECK(journal->segment_count() >= 4);
        stop.emit(boost::asio::cancellation_type::terminal);
        test::run_for(fixture.context, fixture.clock, seconds{1});
        REQUIRE(ended);
    }
    fixture.disk.kill();
    const auto again = fixture.open().value();
    CHECK(read_all(*again).value() == numbered(1, 120, 400));
}

TEST_CASE("after a failed write or sync nothing is acknowledged until the journal is opened anew") {
    for (const DiskOp op : {DiskOp::write, DiskOp::sync}) {
        JournalFixture fixture;
        auto journal = fixture.open().value();
        REQUIRE(fixture.append(*journal, {"a"}));
        fixture.disk.fail(op, 1);
        CHECK(fixture.append(*journal, {"b"}).error().code == Errc::io_failed);
        const auto later = fixture.append(*journal, {"c"});
        REQUIRE_FALSE(later);
        CHECK(later.error().code == Errc::unavailable);
        CHECK(later.error().message.find("EIO") != std::string::npos);
        journal.reset();
        journal = fixture.open().value();
        const auto found = read_all(*journal).value();
        CHECK((found == Records{"a"} || found == Records{"a", "b"}));
    }
}

TEST_CASE("what is read after a failed sync survives a power cut, though the kernel forgot it") {
    int with_b = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        JournalFixture fixture{seed};
        auto journal = fixture.open().value();
        REQUIRE(fixture.append(*journal, {"a"}));
        fixture.disk.fail(DiskOp::sync, 1);
        REQUIRE_FALSE(fixture.append(*journal, {"b"}));
        journal.reset();
        fixture.disk.kill();
        journal = fixture.open().value();
        const auto before = read_all(*journal).value();
        with_b += before.size() == 2 ? 1 : 0;
        journal.reset();
        fixture.disk.cut_power();
        journal = fixture.open().value();
        CHECK(read_all(*journal).value() == before);
    }
    CHECK(with_b == 50);
}

TEST_CASE("an opening that fails at any call harms nothing, and the next one succeeds") {
    for (const DiskOp op :
         {DiskOp::open, DiskOp::read, DiskOp::write, DiskOp::sync, DiskOp::size, DiskOp::lock,
          DiskOp::rename, DiskOp::list, DiskOp::make_dir, DiskOp::sync_dir}) {
        for (const bool fresh : {true, false}) {
            for (std::uint64_t nth = 1; nth <= 4; ++nth) {
                JournalFixture fixture;
                if (!fresh) {
                    REQUIRE(fixture.append(*fixture.open().value(), {"a", "b"}));
                }
                fixture.disk.fail(op, nth);
                const auto first = fixture.open();
                if (!first) {
                    CHECK(first.error().code == Errc::io_failed);
                    const auto journal = fixture.open().value();
                    CHECK(read_all(*journal).value() == (fresh ? Records{} : Records{"a", "b"}));
                }
            }
        }
    }
}

TEST_CASE("a disk that is full at a roll stops the journal with disk-full and loses nothing") {
    JournalFixture fixture;
    auto journal = fixture.open().value();
    fixture.disk.set_capacity(12 * 1024);
    int appended = 0;
    Result<port::Position> last{0};
    while ((last = fixture.append(*journal, numbered(appended + 1, 1, 400)))) {
        ++appended;
    }
    CHECK(last.error().type == "disk-full");
    CHECK(appended > 5);
    journal.reset();
    fixture.disk.set_capacity(1 << 20);
    journal = fixture.open().value();
    CHECK(read_all(*journal).value() == numbered(1, appended, 400));
    CHECK(fixture.append(*journal, {"again"}));
}

TEST_CASE("wrong options are refused by name") {
    JournalFixture fixture;
    fixture.options.segment_bytes = 512;
    const auto opened = fixture.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::invalid_argument);
    CHECK(opened.error().message.find("segment_bytes") != std::string::npos);
}

TEST_CASE("files that are no segments are left alone") {
    JournalFixture fixture;
    fixture.disk.set_content("j/notes.txt", "mine");
    fixture.disk.set_content("j/1.segment", "mine");
    fixture.disk.set_content("j/next.hurried", "half made");
    REQUIRE(fixture.open());
    CHECK(fixture.disk.content("j/notes.txt") == "mine");
    CHECK(fixture.disk.content("j/1.segment") == "mine");
    CHECK_FALSE(fixture.disk.exists("j/next.hurried"));
}

TEST_CASE("a memory journal fails when told to, until it is opened again") {
    JournalFixture fixture;
    MemoryJournal journal;
    REQUIRE(fixture.append(journal, {"a"}));
    journal.fail_next(make_error(Errc::io_failed, "EIO"), true);
    CHECK(fixture.append(journal, {"b"}).error().code == Errc::io_failed);
    CHECK(fixture.append(journal, {"c"}).error().code == Errc::unavailable);
    journal.reopen();
    CHECK(journal.opening().last == 2);
    CHECK(fixture.append(journal, {"d"}).value() == 3);
}

}  // namespace longhaul::journal
