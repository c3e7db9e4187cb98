#include "gateway/driver/feeder.hpp"

#include "gateway/driver/disk_watch.hpp"
#include "gateway/ledger/record_codec.hpp"
#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"
#include "tests/unit/gateway/view_bed.hpp"

namespace longhaul::gateway {
namespace {

constexpr port::Position kTrimEvery = 200'000;

// A view that is fed from a journal in memory, whose segments have one record each.
struct Bed {
    ~Bed() {
        feeder.stop();
        test::run_for(io, clock, std::chrono::seconds(1));
    }

    // So many owner terms become durable and are fed.
    void feed(std::size_t count) {
        std::vector<std::string> encoded;
        std::vector<PositionedRecord> records;
        for (std::size_t i = 0; i < count; ++i) {
            const Record record = OwnerTermRecord{0, 1};
            encoded.push_back(encode_record(record));
            records.push_back(PositionedRecord{journal.last() + i + 1, record});
        }
        REQUIRE(test::run_task(io, clock, journal.append(std::move(encoded))));
        feeder.feed(std::move(records));
        test::run_for(io, clock, std::chrono::seconds(1));
    }
    [[nodiscard]] port::Position first() {
        port::Position found = 0;
        (void)journal.replay(1, [&found](port::Position at, std::string_view) -> Result<void> {
            found = at;
            return make_error(Errc::cancelled, "that is all");
        });
        return found;
    }

    test::FakeClock clock;
    boost::asio::io_context io;
    system::InlineWorkers workers;
    test::ViewBed view{test::ViewKind::memory};
    journal::MemoryJournal journal{{.segment_records = 1}};
    Feeder feeder{io.get_executor(),    *view, journal, workers, clock, Logger(),
                  [](port::Position) {}};
    net::TaskGroup tasks{io.get_executor(), Logger()};
};

}  // namespace

TEST_CASE("the journal is trimmed behind the view, and not behind what is held") {
    Bed bed;
    port::Position held = 5;
    bed.feeder.hold_journal([&held] { return held; });
    bed.tasks.start("feed", bed.feeder.run());
    for (int i = 0; i < 10; ++i) bed.feed(kTrimEvery / 10);
    CHECK(bed.feeder.applied() == kTrimEvery);
    CHECK(bed.first() == 6);
    held = kTrimEvery;
    for (int i = 0; i < 10; ++i) bed.feed(kTrimEvery / 10);
    CHECK(bed.first() == kTrimEvery + 1);
}

TEST_CASE("any write of the view may fail once: it is tried again, and nothing is left out") {
    bool struck = true;
    std::uint64_t nth = 1;
    for (; struck; ++nth) {
        MemoryStore store;
        auto view = MemoryView::open(store, {}).value();
        test::FakeClock clock;
        boost::asio::io_context io;
        system::InlineWorkers workers;
        journal::MemoryJournal journal{{.segment_records = 1}};
        Feeder feeder{io.get_executor(),    *view, journal, workers, clock, Logger(),
                      [](port::Position) {}};
        bool gave_up = false;
        feeder.give_up_after(std::chrono::minutes(1), [&](const Error&) { gave_up = true; });
        net::TaskGroup tasks{io.get_executor(), Logger()};
        store.fail_nth_write(nth, make_error(Errc::io_failed, "EIO"));
        tasks.start("feed", feeder.run());
        std::uint64_t retries = 0;
        for (std::uint32_t at = 1; at <= 20; ++at) {
            feeder.feed({PositionedRecord{at, LimitsPutRecord{{.tenant_max = at}}}});
            test::settle(io);
            retries += feeder.failure().empty() ? 0 : 1;
            test::run_for(io, clock, std::chrono::seconds(2));
            REQUIRE(feeder.failure().empty());
            REQUIRE(view->applied() == at);
            REQUIRE(view->load()->limits->tenant_max == at);
        }
        struck = retries > 0;
        CHECK_FALSE(gave_up);
        feeder.stop();
        test::run_for(io, clock, std::chrono::seconds(1));
    }
    CHECK(nth > 20);
}

TEST_CASE("a view that fails for too long is given up, with the last reason") {
    Bed bed;
    std::string reason;
    bed.feeder.give_up_after(std::chrono::minutes(1),
                             [&](const Error& error) { reason = error.message; });
    bed.tasks.start("feed", bed.feeder.run());
    bed.feed(1);
    bed.view.fail_writes(make_error(Errc::io_failed, "EIO of the view"));
    bed.feed(1);
    test::run_for(bed.io, bed.clock, std::chrono::seconds(50));
    CHECK(reason.empty());
    CHECK(bed.feeder.failure() == "EIO of the view");
    test::run_for(bed.io, bed.clock, std::chrono::seconds(20));
    CHECK(reason.find("EIO of the view") != std::string::npos);
    bed.view.fail_writes({});
}

TEST_CASE("below its reserve the disk has no room for new work, until it has again") {
    test::FakeClock clock;
    boost::asio::io_context io;
    system::InlineWorkers workers;
    test::MemoryDisk disk{1, 1000};
    DiskWatch watch{disk, workers, clock, Logger(), "", 600};
    net::TaskGroup tasks{io.get_executor(), Logger()};
    CHECK(watch.has_room());
    tasks.start("disk_watch", watch.run());
    test::run_for(io, clock, std::chrono::seconds(1));
    CHECK(watch.has_room());
    disk.set_content("filler", std::string(500, 'x'));
    test::run_for(io, clock, std::chrono::seconds(2));
    const auto refused = watch.has_room();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::overloaded);
    CHECK(refused.error().type == "disk-full");
    CHECK(refused.error().message.find("500 bytes") != std::string::npos);
    disk.fail_always(test::DiskOp::free_bytes, true);
    test::run_for(io, clock, std::chrono::seconds(2));
    CHECK(watch.has_room());
    disk.fail_always(test::DiskOp::free_bytes, false);
    REQUIRE(disk.remove("filler"));
    test::run_for(io, clock, std::chrono::seconds(2));
    CHECK(watch.has_room());
    tasks.cancel();
    test::run_for(io, clock, std::chrono::seconds(1));
}

}  // namespace longhaul::gateway
