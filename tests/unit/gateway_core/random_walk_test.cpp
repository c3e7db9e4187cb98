// Random histories by seed: everything that callers, hosts and time can say, in any order, with
// restarts. The bed checks its invariants after every step; at the end the world heals and time
// passes: everything has ended (I6).
#include "tests/support/seeded_random.hpp"
#include "tests/unit/gateway_core/bed.hpp"

#include <cstdlib>

namespace longhaul::gateway::test {
namespace {

using longhaul::test::SeededRandom;

constexpr int kStepsPerSeed = 2'000;
constexpr int kLiveMax = 60;

SchedulerLimits walk_limits() {
    SchedulerLimits limits;
    limits.run.global_max = 8;
    limits.run.tenant_max = 6;
    limits.queued_max = 40;
    limits.route_tries_max = 4;
    return limits;
}

class Walk {
public:
    explicit Walk(std::uint64_t seed) : random_(seed), bed_(walk_limits()) {
        for (const char* name : {"f", "g"}) bed_.function(name, 4);
        bed_.function(bed_.spec("f"), TenantName{"other"});
    }

    void run() {
        for (int count = 0; count < kStepsPerSeed; ++count) step();
    }

    // Hosts come back, know nothing, and time passes.
    void heal() {
        for (const char* name : {"f", "g"}) pause(name, false);
        for (int hour = 0; hour < 60 && bed_.scheduler->live_count() > 0; ++hour) {
            bed_.tick(minutes(30));
            // Due at host_grace, of what the tick before has granted.
            bed_.tick(minutes(30));
            for (const InvocationId& id : bed_.in_state(State::running)) finish_copy(id);
        }
        REQUIRE(bed_.scheduler->live_count() == 0);
        REQUIRE(bed_.scheduler->running_count() == 0);
        REQUIRE(bed_.scheduler->waiting_count() == 0);
    }

private:
    std::optional<InvocationId> any(std::initializer_list<State> states) {
        std::vector<InvocationId> found;
        bed_.scheduler->for_each([&](const Invocation& invocation) {
            for (const State state : states)
                if (invocation.state == state) found.push_back(invocation.id);
        });
        if (found.empty()) return std::nullopt;
        std::sort(found.begin(), found.end());
        return found[random_.below(found.size())];
    }

    void pause(const std::string& name, bool paused) {
        bed_.step([&] {
            REQUIRE(bed_.scheduler->pause(bed_.now, kTenant, FunctionName{name}, paused, bed_.out));
        });
    }

    void submit() {
        if (bed_.scheduler->live_count() >= kLiveMax) return;
        Submit what;
        what.function = random_.chance(0.5) ? "f" : "g";
        if (random_.chance(0.2)) {
            what.tenant = TenantName{"other"};
            what.function = "f";
        }
        if (random_.chance(0.3)) what.key = "k" + std::to_string(random_.below(30));
        if (random_.chance(0.1)) what.fingerprint = "another body";
        if (random_.chance(0.3)) what.queue_ttl = seconds(1 + random_.below(300));
        if (random_.chance(0.3)) what.timeout = seconds(1 + random_.below(100));
        if (random_.chance(0.2)) what.deadline = bed_.now + seconds(1 + random_.below(300));
        if (random_.chance(0.4)) what.priority = static_cast<std::uint8_t>(random_.below(8));
        if (random_.chance(0.4)) what.concurrency_key = "c" + std::to_string(random_.below(4));
        what.body_size = random_.below(100);
        static_cast<void>(bed_.try_submit(what).has_value());
    }

    ReportedEnd any_end() {
        const auto outcome = static_cast<AttemptOutcome>(1 + random_.below(6));
        ReportedEnd end = end_with(outcome);
        end.sigkill_sent = random_.chance(0.3);
        end.tree_gone = random_.chance(0.8);
        if (random_.chance(0.1)) end.reason = FailureReason::load;
        if (end.result && random_.chance(0.5)) {
            end.result_is_remote = true;
            end.result->size = random_.chance(0.1) ? (7u << 20) : 1000;
        }
        return end;
    }

    void report() {
        const auto id = any({State::dispatching, State::running, State::stopping, State::succeeded,
                             State::failed, State::cancelled});
        if (!id || bed_.of(*id).attempts.empty()) return;
        Say what;
        what.rank = static_cast<std::uint8_t>(random_.below(6));
        if (random_.chance(0.2)) what.version = 1 + random_.below(20);
        if (random_.chance(0.1)) what.token = "stale";
        if (random_.chance(0.1)) what.attempt = 1 + static_cast<AttemptNumber>(random_.below(3));
        if (random_.chance(0.5)) what.started_at = bed_.now - seconds(random_.below(1000));
        if (what.rank == kRankEnded) what.end = any_end();
        bed_.say(*id, what);
    }

    void finish_copy(const InvocationId& id) {
        if (random_.chance(0.3)) {
            bed_.result_copied(id, make_error(Errc::unavailable, "gone"));
        } else {
            Content content;
            content.size = 1000;
            bed_.result_copied(id, std::move(content));
        }
    }

    void dispatch_news() {
        const auto id = any({State::dispatching, State::stopping});
        if (!id) return;
        switch (random_.below(5)) {
        case 0: bed_.take_answered(*id); break;
        case 1: bed_.refused(*id, static_cast<RouteFailure>(random_.below(3))); break;
        case 2: bed_.refused(*id, RouteFailure::no_capacity); break;
        case 3: bed_.stop_was_fence(*id); break;
        default: bed_.load_failed(*id); break;
        }
    }

    std::string any_host() { return "h" + std::to_string(1 + random_.below(3)); }

    void host_news() {
        const std::string name = any_host();
        if (random_.chance(0.2)) ++epochs_[name];
        const Epoch epoch = 1 + epochs_[name] - (random_.chance(0.05) && epochs_[name] > 0 ? 1 : 0);
        bed_.host(name, static_cast<std::uint32_t>(random_.below(5)), epoch, random_.below(20));
        if (random_.chance(0.2)) return;
        const auto fences = bed_.scheduler->hosts().find(HostId{name})->fences;
        for (const auto& [attempt, owed] : fences)
            bed_.step([&] {
                bed_.scheduler->fence_told(bed_.now, HostId{name}, attempt.first, attempt.second,
                                           bed_.out);
            });
    }

    void host_answer() {
        const std::string name = any_host();
        std::vector<AttemptReport> reports;
        std::vector<InvocationId> unknown;
        bed_.scheduler->for_each([&](const Invocation& invocation) {
            if (!holds_slot(invocation.state) || invocation.current()->host.text != name) return;
            if (random_.chance(0.4)) {
                Say what;
                what.rank = static_cast<std::uint8_t>(random_.below(6));
                if (what.rank == kRankEnded) what.end = any_end();
                reports.push_back(bed_.report_of(invocation.id, what));
            } else if (random_.chance(0.5)) {
                unknown.push_back(invocation.id);
            }
        });
        bed_.answer(name, 1 + epochs_[name], random_.chance(0.7), std::move(reports),
                    std::move(unknown));
    }

    void stop() {
        const auto id = any({State::queued, State::dispatching, State::running, State::stopping,
                             State::succeeded, State::killed});
        if (!id) return;
        const auto answer = random_.chance(0.5) ? bed_.cancel(*id) : bed_.kill(*id);
        if (!answer) REQUIRE(answer.error().type == "already-finished");
    }

    void other() {
        switch (random_.below(5)) {
        case 0: pause(random_.chance(0.5) ? "f" : "g", random_.chance(0.3)); break;
        case 1: bed_.function("g", 1 + static_cast<std::uint32_t>(random_.below(6))); break;
        case 2:
            bed_.step([&] { bed_.scheduler->host_silent(bed_.now, HostId{any_host()}); });
            break;
        case 3:
            if (random_.chance(0.3)) bed_.restart(random_.below(bed_.journal.size() + 1));
            break;
        default:
            if (const auto id = any({State::succeeded, State::failed, State::expired}))
                bed_.scheduler->forget(*id);
        }
    }

    void batch() {
        bed_.step([&] {
            std::optional<std::uint64_t> before;
            if (random_.chance(0.8)) before = random_.below(20);
            bed_.scheduler->host_batch(bed_.now, HostId{any_host()}, 1 + random_.below(4), before,
                                       random_.below(20), bed_.out);
        });
    }

    void step() {
        switch (random_.below(12)) {
        case 0:
        case 1: submit(); break;
        case 2:
        case 3: report(); break;
        case 4: dispatch_news(); break;
        case 5:
        case 6: host_news(); break;
        case 7: host_answer(); break;
        case 8: stop(); break;
        case 9: other(); break;
        case 10: batch(); break;
        default: tick(); break;
        }
        if (const auto id = any({State::running, State::dispatching}); id && random_.chance(0.1))
            finish_copy(*id);
    }

    void tick() {
        const bool long_silence = random_.chance(0.02);
        bed_.tick(long_silence ? Duration(minutes(6)) : random_.up_to(seconds(5)));
    }

    SeededRandom random_;
    Bed bed_;
    std::map<std::string, Epoch> epochs_;
};

}  // namespace

TEST_CASE("whatever is said in whatever order, the invariants hold and everything ends") {
    std::uint64_t first = 1;
    std::uint64_t last = 300;
    if (const char* text = std::getenv("LONGHAUL_WALK_SEED"))
        first = last = std::strtoull(text, nullptr, 10);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        INFO("LONGHAUL_WALK_SEED=" << seed);
        Walk walk{seed};
        walk.run();
        walk.heal();
    }
}

}  // namespace longhaul::gateway::test
