#include "host_agent/instances/keeper.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/host_agent/fake_machine.hpp"

#include <map>

namespace longhaul::host_agent {
namespace {

namespace asio = boost::asio;

// Processes that are numbers: those that live, and what was done to them.
class FakeProcesses final : public Processes {
public:
    explicit FakeProcesses(test::FakeClock& clock) : clock_(clock) {}

    Result<Opening> open(const IsKnown& is_known) override {
        Opening result = opening;
        std::erase_if(result.leftovers, is_known);
        return result;
    }
    Result<InstanceProcess> spawn(const Order& order) override {
        const std::int64_t pid = ++last_pid_;
        living.insert(pid);
        return InstanceProcess{{pid, 1}, 0, "unix:" + order.id.text, order.secret};
    }
    bool lives(const InstanceProcess& process) override {
        return living.contains(process.process.pid);
    }
    asio::awaitable<Result<void>> wait_gone(InstanceProcess process, Duration limit) override {
        const TimePoint until = clock_.now() + limit;
        while (lives(process)) {
            if (clock_.now() >= until) co_return make_error(Errc::timed_out, "it lives on");
            co_await clock_.wait_until(clock_.now() + std::chrono::milliseconds(10));
        }
        co_return Result<void>{};
    }
    asio::awaitable<Result<void>> kill(InstanceProcess process, Duration) override {
        ++kills;
        living.erase(process.process.pid);
        co_return Result<void>{};
    }
    asio::awaitable<bool> sweep(InstanceId id, std::uint32_t) override {
        swept.push_back(id);
        co_return true;
    }
    asio::awaitable<void> clean(InstanceId id) override {
        cleaned.push_back(id);
        co_return;
    }

    Opening opening{};
    std::set<std::int64_t> living{};
    int kills = 0;
    std::vector<InstanceId> swept{};
    std::vector<InstanceId> cleaned{};

private:
    test::FakeClock& clock_;
    std::int64_t last_pid_ = 100;
};

asio::awaitable<int> stopped(Keeper& keeper) {
    co_await keeper.stop();
    co_return 0;
}

struct Bed : FakeMachine {
    Bed() {
        REQUIRE(ledger.replay(journal));
        REQUIRE(keeper.open([this](const InstanceId& id) {
            Records out;
            (void)ledger.core().dead(id, out);
            dead.push_back(id);
        }));
    }
    ~Bed() {
        (void)test::run_task(io, clock, stopped(keeper));
        test::settle(io);
    }

    // As a take that has decided to start one.
    InstanceId spawned() {
        TakeInput input;
        input.owner = {0, 1};
        input.key = {InvocationId{"run-" + std::to_string(++runs)}, 1};
        input.token = Token{"t"};
        input.memory_mb = 1;
        input.fresh = keeper.fresh_id();
        Records out;
        REQUIRE(ledger.core().take(clock.now(), input, out).verdict == TakeVerdict::start);
        REQUIRE(keeper.spawn(input.fresh, 1));
        return input.fresh;
    }
    [[nodiscard]] bool until(const std::function<bool()>& done) {
        return test::run_until(io, clock, done, std::chrono::minutes(5));
    }

    int runs = 0;
    std::vector<InstanceId> dead{};
    Ledger ledger{io.get_executor(),
                  clock,
                  Logger{},
                  {.instances_max = 10, .memory_mb = 1000, .runs_max = 10, .fences_max = 10},
                  1000};
    AgentControl control{agent, std::chrono::seconds(5)};
    FakeProcesses processes{clock};
    Keeper keeper{io.get_executor(),
                  clock,
                  Logger{},
                  ledger,
                  control,
                  processes,
                  random,
                  {std::chrono::seconds(10), std::chrono::seconds(10)}};
};

TEST_CASE("a death is told once, after what the process left behind is swept away") {
    Bed bed;
    const InstanceId id = bed.spawned();
    bed.processes.living.clear();
    REQUIRE(bed.until([&] { return !bed.processes.cleaned.empty(); }));
    CHECK(bed.dead == std::vector{id});
    CHECK(bed.processes.swept == std::vector{id});
    CHECK(bed.processes.cleaned == std::vector{id});
    CHECK(bed.keeper.counters().died == 1);
}

TEST_CASE("an instance that says yes and does not end is killed") {
    Bed bed;
    const InstanceId id = bed.spawned();
    REQUIRE(bed.ledger.core().begin_destroy(id));
    bed.keeper.destroy(id);
    REQUIRE(bed.until([&] { return !bed.dead.empty(); }));
    CHECK(bed.processes.kills == 1);
    CHECK(bed.keeper.counters().destroyed == 1);
}

TEST_CASE("an instance that does not answer is killed at once") {
    Bed bed;
    bed.agent.is_silent = true;
    const InstanceId id = bed.spawned();
    REQUIRE(bed.ledger.core().begin_destroy(id));
    bed.keeper.destroy(id);
    REQUIRE(bed.until([&] { return !bed.dead.empty(); }));
    CHECK(bed.processes.kills == 1);
}

TEST_CASE("a process of an earlier life is watched where it lives, and else proven dead") {
    Bed bed;
    const InstanceProcess process{{7, 1}, 0, "unix:a", "s"};
    CHECK_FALSE(bed.keeper.watch_found(InstanceId{"a"}, process));
    bed.processes.living.insert(7);
    CHECK(bed.keeper.watch_found(InstanceId{"a"}, process));
}

}  // namespace
}  // namespace longhaul::host_agent
