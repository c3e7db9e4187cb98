// The function of a simulated runtime agent: how long it takes, how it ends, what it makes of
// signals.
#include "longhaul/crypto/sha256.hpp"
#include "longhaul/wire/log_line.hpp"
#include "runtime_agent_ext/driver/entry.hpp"
#include "tests/sim/sim_agent.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace longhaul::sim {

namespace agent = runtime_agent_ext;

namespace {

constexpr std::size_t kInlineMax = 8 * 1024;
constexpr Duration kLongTimeout = std::chrono::minutes(1);  // a function that needs so much may
constexpr Duration kDiesWithin = std::chrono::milliseconds(1500);  // of SIGTERM

}  // namespace

void SimAgent::start_function() {
    const agent::Run* run = live();
    if (run == nullptr) return;
    test::SeededRandom& random = site_.random;
    const RunKey key{run->key.invocation, run->key.attempt};
    site_.notebook.run_began(site_.host, key, body_);
    site_.notebook.saw("runs of production hosts");
    function_lives_ = true;
    ignores_sigterm_ = random.chance(site_.behaviour.ignores_sigterm);
    const Duration timeout = run->timeout_at - run->started_at;
    const Duration most = timeout < kLongTimeout ? site_.behaviour.run_max : timeout;
    // Some hang.
    const Duration takes =
        random.chance(0.05) ? timeout * 2 : std::chrono::milliseconds(1) + random.up_to(most);
    plan_exit(site_.clock.now() + takes, !random.chance(0.2));
    later(random.up_to(std::chrono::milliseconds(20)), &SimAgent::say_started);
}

void SimAgent::say_started() {
    const agent::Run* run = live();
    if (run == nullptr || !function_lives_) return;
    const agent::RunKey key = run->key;
    Actions actions;
    instance_.function_started(key, actions);
    apply(actions);
}

void SimAgent::plan_exit(TimePoint at, bool success) {
    exits_at_ = at;
    site_.clock.call_at(at, [this, plan = ++plan_, success] {
        if (!is_gone_ && plan == plan_ && function_lives_) exit_function(success);
    });
}

void SimAgent::exit_function(bool success) {
    function_lives_ = false;
    Actions actions;
    if (const agent::Run* run = live()) {
        const agent::RunKey key = run->key;
        instance_.function_ended(site_.clock.now(), key, end_of(success), actions);
    }
    instance_.offer("lease-" + id_.text + "-" + std::to_string(++offers_));
    apply(actions);
    check_tree();
}

agent::FunctionEnd SimAgent::end_of(bool success) {
    agent::FunctionEnd end;
    end.left_processes = site_.random.chance(0.02);
    end.runtime_gone = site_.random.chance(0.02);
    std::string result = "result of " + body_;
    if (site_.random.chance(0.2)) result.resize(kInlineMax + site_.random.below(60'000), '.');
    Content content;
    content.content_type = "text/plain";
    end.success = success && keep_result(content, std::move(result));
    if (end.success) {
        end.exit_code = 0;
        end.result = std::move(content);
    } else {
        end.exit_code = 1;
        end.reason = FailureReason::error;
        end.message = "it failed";
    }
    return end;
}

// False: the disk does not take it.
bool SimAgent::keep_result(Content& content, std::string bytes) const {
    content.size = bytes.size();
    if (bytes.size() <= kInlineMax) {
        content.inline_bytes = std::move(bytes);
        return true;
    }
    const agent::Run* run = live();
    if (run == nullptr) return false;
    content.file = wire::result_file_name(agent::wire_key(run->key));
    content.sha256 = crypto::sha256_hex(bytes);
    auto file = site_.disk.open(site_.result_folder + "/" + content.file, port::OpenMode::write);
    return file && (*file)->write_at(0, std::as_bytes(std::span(bytes)));
}

void SimAgent::terminate() {
    const agent::Run* run = live();
    if (run == nullptr || !function_lives_ || ignores_sigterm_) return;
    const Duration grace = std::max(Duration::zero(), run->kill_at - site_.clock.now());
    const TimePoint at = site_.clock.now() + site_.random.up_to(std::min(grace, kDiesWithin));
    if (exits_at_ && *exits_at_ < at && !site_.random.chance(0.5)) {
        site_.notebook.saw("ended by itself while it was stopped");
        return;  // the end that was planned comes first
    }
    plan_exit(at, false);
}

void SimAgent::kill_tree() {
    if (std::exchange(killing_, true)) return;
    later(site_.random.up_to(std::chrono::milliseconds(30)), &SimAgent::tree_killed);
}

void SimAgent::tree_killed() {
    const bool found = std::exchange(function_lives_, false);
    ++plan_;
    killing_ = false;
    Actions actions;
    instance_.tree_killed(site_.clock.now(), found, true, actions);
    apply(actions);
}

}  // namespace longhaul::sim
