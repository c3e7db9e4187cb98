// What a host says of its runs: reports on its own account, and answers to questions.
#include "host_agent/driver/status_query.hpp"
#include "host_agent/reports/reporter.hpp"
#include "longhaul/journal/memory_journal.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

namespace longhaul::host_agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RunKey key(int number) { return {InvocationId{"run-" + std::to_string(1000 + number)}, 1}; }

CoreLimits core_limits() {
    return {.instances_max = 2000,
            .memory_mb = 1'000'000,
            .runs_max = 2000,
            .fences_max = 2000,
            .take_lease = std::chrono::hours(1),
            .fence_retention = std::chrono::hours(1)};
}

ReportLimits report_limits() {
    ReportLimits limits;
    limits.announce_interval = seconds(2);
    limits.report_timeout = seconds(5);
    limits.backoff_max = seconds(5);
    return limits;
}

// A journal in which something happens while its next append is under way, and which then takes its
// time for the one after it.
class BusyJournal final : public port::Journal {
public:
    explicit BusyJournal(port::Clock& clock) : clock_(clock) {}

    boost::asio::awaitable<Result<port::Position>> append(
        std::vector<std::string> records) override {
        if (std::exchange(is_slow, false)) co_await clock_.wait_until(clock_.now() + seconds(1));
        if (auto happens = std::exchange(while_writing, nullptr)) {
            co_await clock_.wait_until(clock_.now() + milliseconds(100));
            happens();
            is_slow = true;
        }
        co_return co_await inner_.append(std::move(records));
    }
    Result<void> replay(port::Position from, const Visitor& each) override {
        return inner_.replay(from, each);
    }
    Result<void> trim(port::Position before) override { return inner_.trim(before); }
    [[nodiscard]] port::JournalOpening opening() const override { return inner_.opening(); }
    [[nodiscard]] std::uint64_t bytes() const override { return inner_.bytes(); }

    std::function<void()> while_writing;
    bool is_slow = false;

private:
    port::Clock& clock_;
    journal::MemoryJournal inner_;
};

// A reporter before a status service that keeps what it is told, and answers as it is told to.
struct World {
    explicit World(ReportLimits limits = report_limits())
        : reporter(
              io.get_executor(), clock, Logger{}, ledger, peer, "status", limits,
              [this] { return announcement(); }, [this](bool on) { drained.push_back(on); }) {
        REQUIRE(ledger.replay(journal));
        tasks.start("commit", ledger.run());
        peer.serve("status", [this](port::PeerRequest request) { return serve(request.body); });
    }
    ~World() {
        static_cast<void>(test::run_task(io, clock, stop()));
        ledger.stop();
        test::settle(io);
    }

    boost::asio::awaitable<bool> stop() {
        co_await reporter.stop();
        co_return true;
    }

    wire::HostAnnouncement announcement() {
        ++announcements;
        wire::HostAnnouncement self;
        self.host = HostId{"h"};
        self.epoch = ledger.core().epoch();
        self.address = "h:1";
        return self;
    }

    boost::asio::awaitable<Result<port::PeerResponse>> serve(std::string body) {
        auto report = wire::decode<wire::Report>(body);
        REQUIRE(report);
        bytes_max = std::max(bytes_max, body.size());
        wire::ReportAnswer answer;
        answer.accepted_seq = report->host.last_seq;
        if (orders) answer = std::exchange(orders, std::nullopt).value();
        reports.push_back(std::move(*report));
        co_return test::make_response(200, wire::to_json(answer).dump());
    }

    void begin(int number) {
        Records out;
        TakeInput input;
        input.owner = {0, 1};
        input.key = key(number);
        input.token = Token{"t"};
        input.code = {TenantName{"default"}, FunctionName{"f"}, Digest{"v"}, Digest{}, {}};
        input.memory_mb = 1;
        input.fresh = InstanceId{"i" + std::to_string(number)};
        const TakeDecision decision = ledger.core().take(clock.now(), input, out);
        REQUIRE(decision.verdict == TakeVerdict::start);
        ledger.core().made(decision.instance, {{4711, 1}, 0, "unix:/x", "s"}, out);
        ledger.core().loaded(decision.instance, input.code, out);
        REQUIRE(ledger.core().assigned(clock.now(), input.key, "rt", "addr", out));
        ledger.stage(std::move(out));
    }

    // Its runtime agent says something new of it.
    void say(int number, wire::Rank rank, std::uint64_t version, std::string message = "") {
        wire::StatusEntry entry;
        entry.key = wire_key(key(number));
        entry.token = Token{"t"};
        entry.rank = rank;
        entry.version = version;
        entry.message = std::move(message);
        REQUIRE(ledger.core().observe(key(number), InstanceId{"i" + std::to_string(number)},
                                      {static_cast<std::uint8_t>(rank), version}));
        ledger.keep(key(number), std::move(entry));
        ledger.changed().notify_all();
    }

    void pass(Duration time) { test::run_for(io, clock, time); }
    // The ranks in the reports since the last call; announcements alone are left out.
    std::size_t batches() {
        return static_cast<std::size_t>(std::ranges::count_if(
            reports, [](const wire::Report& report) { return !report.entries.empty(); }));
    }

    const wire::Report& last_batch() {
        const auto last = std::find_if(
            reports.rbegin(), reports.rend(),
            [](const wire::Report& report) { return !report.entries.empty(); });
        REQUIRE(last != reports.rend());
        return *last;
    }

    wire::StatusAnswer ask(wire::StatusQuery query) {
        auto answer =
            test::run_task(io, clock, answer_status(ledger, HostId{"h"}, std::move(query)));
        REQUIRE(answer);
        return std::move(*answer);
    }

    test::FakeClock clock;
    boost::asio::io_context io{1};
    BusyJournal journal{clock};
    test::FakePeer peer{io.get_executor(), clock, 1};
    Ledger ledger{io.get_executor(), clock, Logger{}, core_limits(), 100'000};
    net::TaskGroup tasks{io.get_executor(), Logger{}};
    Reporter reporter;
    std::vector<wire::Report> reports;
    std::optional<wire::ReportAnswer> orders;
    std::vector<bool> drained;
    std::size_t bytes_max = 0;
    int announcements = 0;
};

TEST_CASE("a host that has nothing to say announces itself every 2 s, with a digest every 30 s") {
    World world;
    world.reporter.start();
    world.pass(seconds(61));
    CHECK(world.reports.size() == 31);
    CHECK(world.batches() == 0);
    CHECK(std::ranges::count_if(world.reports, [](const wire::Report& report) {
              return report.host.digest.has_value();
          }) == 3);
}

TEST_CASE("what came while a report waited for the journal goes with a later one") {
    World world;
    world.pass(seconds(1));
    world.journal.while_writing = [&world] {
        world.begin(2);
        world.say(2, wire::Rank::running, 1);
    };
    world.begin(1);
    world.say(1, wire::Rank::running, 1);
    world.reporter.start();
    world.pass(milliseconds(200));
    REQUIRE(world.reports.size() == 1);
    REQUIRE(world.reports[0].entries.size() == 1);
    CHECK(world.reports[0].entries[0].key == wire_key(key(1)));
    world.pass(seconds(2));
    REQUIRE(world.reports.size() >= 2);
    REQUIRE(world.reports[1].entries.size() == 1);
    CHECK(world.reports[1].entries[0].key == wire_key(key(2)));
    CHECK(world.reports[1].first_seq == world.reports[0].host.last_seq + 1);
}

TEST_CASE("a step of a run is reported at once, progress waits for company") {
    World world;
    world.begin(1);
    world.reporter.start();
    world.pass(milliseconds(1));
    world.say(1, wire::Rank::running, 2);
    world.pass(milliseconds(50));
    CHECK(world.batches() == 1);
    world.say(1, wire::Rank::running, 3);
    world.say(1, wire::Rank::running, 4);
    world.pass(milliseconds(400));
    CHECK(world.batches() == 1);
    world.pass(milliseconds(200));  // with the next announcement
    REQUIRE(world.batches() == 2);
    const wire::Report& both = world.last_batch();
    CHECK(both.entries.front().version == 4);
    CHECK(both.first_seq == 2);
    CHECK(both.host.last_seq == 3);
    world.say(1, wire::Rank::running, 5);
    world.say(1, wire::Rank::stopping, 6);
    world.pass(milliseconds(1));
    CHECK(world.batches() == 3);
}

TEST_CASE("after a change announcements are frequent for a while: it may have been lost") {
    World world;
    world.begin(1);
    world.reporter.start();
    world.say(1, wire::Rank::running, 2);
    world.pass(seconds(1));
    world.reports.clear();
    world.pass(seconds(5));
    CHECK(world.reports.size() == 10);
    world.pass(seconds(10));
    world.reports.clear();
    world.pass(seconds(20));
    CHECK(world.reports.size() == 10);
    CHECK(world.batches() == 0);
}

TEST_CASE("a batch is bounded by count and by bytes, and the next one begins where it ends") {
    ReportLimits limits = report_limits();
    limits.entries_max = 4;
    limits.bytes_max = 64 * 1024;
    World world{limits};
    for (int number = 0; number < 10; ++number) {
        world.begin(number);
        // As JSON each is six times as long.
        world.say(number, wire::Rank::running, 2, std::string(5000, '\x01'));
    }
    world.reporter.start();
    world.pass(milliseconds(10));
    std::uint64_t told = 0;
    std::size_t entries = 0;
    for (const wire::Report& report : world.reports) {
        CHECK(report.entries.size() <= 4);
        if (report.entries.empty()) continue;
        CHECK(report.first_seq == told + 1);
        told = report.host.last_seq;
        entries += report.entries.size();
    }
    CHECK(entries == 10);
    CHECK(told == 10);
    CHECK(world.bytes_max <= 64 * 1024);
    CHECK(world.reporter.counters().splits > 0);
    CHECK(world.announcements < 5);  // a burst looks at the instances once
}

TEST_CASE("what could not be told is told again, with what came meanwhile") {
    World world;
    world.begin(1);
    world.begin(2);
    world.peer.remove("status");
    world.reporter.start();
    world.say(1, wire::Rank::running, 2);
    world.pass(milliseconds(100));
    world.say(2, wire::Rank::running, 2);
    world.peer.serve("status", [&world](port::PeerRequest request) {
        return world.serve(std::move(request.body));
    });
    world.pass(seconds(6));
    REQUIRE(world.batches() == 1);
    const auto batch = std::ranges::find_if(
        world.reports, [](const wire::Report& report) { return !report.entries.empty(); });
    CHECK(batch->entries.size() == 2);
    CHECK(batch->first_seq == 1);
}

TEST_CASE("an ordered snapshot reports everything again, an ordered drain is passed on") {
    World world;
    world.begin(1);
    world.say(1, wire::Rank::running, 2);
    world.reporter.start();
    world.pass(milliseconds(10));
    REQUIRE(world.batches() == 1);
    world.orders = wire::ReportAnswer{1, true, {}, true};
    world.pass(seconds(3));
    CHECK(world.drained == std::vector{true});
    CHECK(world.batches() == 2);
    CHECK(world.reports.back().first_seq <= 1);
}

TEST_CASE("a host whose epoch was overtaken before it was heard rises above, a double does not") {
    World world;
    world.begin(1);
    world.say(1, wire::Rank::running, 2);
    const Epoch floor = world.ledger.core().epoch() + 10;
    wire::ReportAnswer order;
    order.epoch_floor = floor;
    world.orders = order;
    world.reporter.start();
    world.pass(milliseconds(100));
    CHECK(world.ledger.core().epoch() == floor + 1);
    REQUIRE(world.reports.size() >= 2);
    CHECK(world.reports.back().host.epoch == floor + 1);
    CHECK(world.reports.back().entries.size() == 1);
    order.epoch_floor = floor + 20;
    world.orders = order;
    world.pass(seconds(3));
    CHECK(world.ledger.core().epoch() == floor + 1);
    CHECK(world.reporter.counters().failures == 1);
}

TEST_CASE("a snapshot is answered by pages in the order of keys, a delta in the order of changes") {
    World world;
    for (int number = 0; number < 700; ++number) world.begin(number);
    for (int number = 699; number >= 0; --number) world.say(number, wire::Rank::running, 2);
    wire::StatusQuery snapshot;
    snapshot.snapshot = true;
    wire::StatusAnswer page = world.ask(snapshot);
    REQUIRE(page.entries.size() == wire::kBatchMax);
    CHECK(page.more);
    CHECK(page.complete);
    CHECK(page.entries.front().key == wire_key(key(0)));
    snapshot.after = page.entries.back().key;
    page = world.ask(snapshot);
    CHECK(page.entries.size() == 200);
    CHECK_FALSE(page.more);
    CHECK(page.entries.front().key == wire_key(key(500)));

    wire::StatusQuery delta;
    delta.since = wire::SeqPoint{world.ledger.core().epoch(), 100};
    page = world.ask(delta);
    CHECK(page.entries.size() == wire::kBatchMax);
    CHECK(page.more);
    CHECK(page.last_seq == 600);
    CHECK(page.entries.front().key == wire_key(key(599)));
    delta.since->seq = page.last_seq;
    page = world.ask(delta);
    CHECK(page.entries.size() == 100);
    CHECK(page.last_seq == 700);
    CHECK_FALSE(page.more);
    delta.since->epoch -= 1;  // of another life nothing is known
    CHECK(world.ask(delta).entries.size() == wire::kBatchMax);

    wire::StatusQuery digest;
    digest.digest = true;
    CHECK(world.ask(digest).digest == world.ledger.core().digest());
}

}  // namespace
}  // namespace longhaul::host_agent
