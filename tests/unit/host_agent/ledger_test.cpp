#include "host_agent/driver/ledger.hpp"

#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/net/task_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run.hpp"

namespace longhaul::host_agent {
namespace {

RunKey key(int number) { return {InvocationId{"run-" + std::to_string(number)}, 1}; }

CoreLimits limits() {
    return {.instances_max = 4,
            .memory_mb = 4096,
            .runs_max = 1000,
            .fences_max = 20,
            .take_lease = std::chrono::seconds(30),
            .fence_retention = std::chrono::hours(1)};
}

// One life of a host over a journal that outlives it.
struct Life {
    Life(journal::MemoryJournal& journal, std::uint32_t compact_records = 1000)
        : ledger(io.get_executor(), clock, Logger{}, limits(), compact_records),
          tasks(io.get_executor(), Logger{}) {
        journal.reopen();
        REQUIRE(ledger.replay(journal));
        tasks.start("commit", ledger.run());
    }
    ~Life() {
        ledger.stop();
        test::settle(io);
    }

    Result<void> durable() { return test::run_task(io, clock, ledger.durable()); }

    // A run from its take to its end.
    void live(const RunKey& run) {
        Records out;
        TakeInput input;
        input.owner = {0, 1};
        input.key = run;
        input.token = Token{"t"};
        input.code = {TenantName{"default"}, FunctionName{"f"}, Digest{"v"}, Digest{}, {}};
        input.memory_mb = 100;
        input.fresh = InstanceId{"i" + std::to_string(++fresh)};
        const TakeDecision decision = ledger.core().take(clock.now(), input, out);
        if (decision.verdict == TakeVerdict::start) {
            ledger.core().made(decision.instance, {{4711, 1}, 0, "unix:/x", "s"}, out);
            ledger.core().loaded(decision.instance, input.code, out);
        }
        REQUIRE(ledger.core().assigned(clock.now(), run, "rt", "addr", out));
        ledger.stage(std::move(out));
    }
    void end(const RunKey& run) {
        wire::StatusEntry entry;
        entry.key = wire_key(run);
        entry.token = Token{"t"};
        entry.instance = InstanceId{"i"};
        entry.rank = wire::Rank::ended;
        entry.version = 4;
        entry.outcome = AttemptOutcome::succeeded;
        entry.ended_ms_ago = 10;
        std::string text = wire::to_json(entry).dump();
        ledger.keep(run, entry);
        Records out;
        REQUIRE(ledger.core().ended(clock.now(), run, {kRankEnded, 4}, std::move(text), true, out));
        ledger.stage(std::move(out));
    }
    void ack(const RunKey& run) {
        Records out;
        REQUIRE(ledger.core().ack(clock.now(), run, out));
        ledger.drop(run);
        ledger.stage(std::move(out));
    }

    test::FakeClock clock;
    boost::asio::io_context io{1};
    Ledger ledger;
    net::TaskGroup tasks;
    int fresh = 0;
};

TEST_CASE("an end that was made durable is there in the next life, with its whole status") {
    journal::MemoryJournal journal;
    Epoch epoch = 0;
    {
        Life life(journal);
        life.live(key(1));
        life.end(key(1));
        life.live(key(2));
        REQUIRE(life.durable());
        epoch = life.ledger.core().epoch();
    }
    Life next(journal);
    CHECK(next.ledger.core().epoch() > epoch);
    REQUIRE(next.ledger.core().run(key(1)) != nullptr);
    const wire::StatusEntry entry = next.ledger.entry(key(1));
    CHECK(entry.outcome == AttemptOutcome::succeeded);
    CHECK(entry.ended_ms_ago >= 10);
    CHECK(next.ledger.entry(key(2)).rank == wire::Rank::dispatched);
    CHECK_FALSE(next.ledger.core().complete());
}

TEST_CASE("the journal is rewritten when it grew, and says the same") {
    journal::MemoryJournal journal({.segment_records = 8});
    {
        Life life(journal, 50);
        for (int number = 0; number < 200; ++number) {
            life.live(key(number));
            life.end(key(number));
            if (number % 50 != 0) life.ack(key(number));
            REQUIRE(life.durable());
        }
        life.live(key(1000));
        REQUIRE(life.durable());
        test::settle(life.io);
        CHECK(life.ledger.counters().snapshots > 2);
        CHECK(life.ledger.counters().records > 600);
    }
    journal.reopen();
    CHECK(journal.opening().first > 1);
    Life next(journal);
    CHECK(next.ledger.core().runs().size() == 5);
    CHECK(next.ledger.core().run(key(1000))->state == RunState::assigned);
    CHECK(next.ledger.entry(key(150)).outcome == AttemptOutcome::succeeded);
    CHECK(next.ledger.core().is_fenced(key(199)));
    next.ledger.core().check_invariants();
}

TEST_CASE("after a failed sync nothing is durable any more") {
    journal::MemoryJournal journal;
    Life life(journal);
    REQUIRE(life.durable());
    journal.fail_next(make_error(Errc::io_failed, "EIO"));
    life.live(key(1));
    auto first = life.durable();
    REQUIRE_FALSE(first);
    CHECK(first.error().type == "store-unavailable");
    life.live(key(2));
    CHECK_FALSE(life.durable());
    CHECK(life.ledger.failed());
}

TEST_CASE("any append of the host's journal may fail: what was durable is there in the next life") {
    for (const bool keeps : {false, true}) {
        bool struck = true;
        int nth = 1;
        for (; struck; ++nth) {
            journal::MemoryJournal journal;
            int durable_lives = 0;
            int durable_ends = 0;
            std::string reason;
            {
                Life life(journal);
                life.ledger.on_failure([&](const Error& error) { reason = error.message; });
                REQUIRE(life.durable());
                int appends = 0;
                const auto step = [&](bool ends, int number) {
                    if (++appends == nth)
                        journal.fail_next(make_error(Errc::io_failed, "EIO"), keeps);
                    if (ends)
                        life.end(key(number));
                    else
                        life.live(key(number));
                    return life.durable().has_value();
                };
                for (int number = 1; number <= 8 && reason.empty(); ++number) {
                    if (step(false, number)) durable_lives = number;
                    if (reason.empty() && step(true, number)) durable_ends = number;
                }
                struck = !reason.empty();
                CHECK(life.ledger.failed() == struck);
            }
            Life next(journal);
            REQUIRE(next.durable());
            for (int number = 1; number <= durable_lives; ++number)
                REQUIRE(next.ledger.core().run(key(number)) != nullptr);
            for (int number = 1; number <= durable_ends; ++number)
                REQUIRE(next.ledger.core().run(key(number))->state == RunState::ended);
            next.ledger.core().check_invariants();
        }
        CHECK(nth > 16);
    }
}

TEST_CASE("a damaged record stops the start and is named") {
    journal::MemoryJournal journal;
    test::FakeClock clock;
    boost::asio::io_context io;
    std::vector<std::string> records{std::string("\x01\x63", 2)};
    REQUIRE(test::run_task(io, clock, journal.append(std::move(records))));
    journal.reopen();
    Ledger ledger(io.get_executor(), clock, Logger{}, limits(), 1000);
    auto replayed = ledger.replay(journal);
    REQUIRE_FALSE(replayed);
    CHECK(replayed.error().code == Errc::corrupt);
}

}  // namespace
}  // namespace longhaul::host_agent
