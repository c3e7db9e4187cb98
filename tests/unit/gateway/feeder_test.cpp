#include "gateway/driver/feeder.hpp"

#include "gateway/ledger/record_codec.hpp"
#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
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

}  // namespace longhaul::gateway
