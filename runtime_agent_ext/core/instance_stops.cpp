// How an instance stops its runs: one that is told to return, all that are left, or the whole tree.
#include "runtime_agent_ext/core/instance.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::runtime_agent_ext {
namespace {

StopCause cause_of(StopMode mode) {
    switch (mode) {
    case StopMode::cancel: return StopCause::cancel;
    case StopMode::timeout: return StopCause::timeout;
    case StopMode::host: return StopCause::none;
    case StopMode::kill:
    case StopMode::fence: break;
    }
    return StopCause::kill;
}

AttemptOutcome outcome_of(StopCause cause, bool sigkill_sent) {
    switch (cause) {
    case StopCause::timeout:
    case StopCause::deadline: return AttemptOutcome::timed_out;
    case StopCause::cancel:
        return sigkill_sent ? AttemptOutcome::killed : AttemptOutcome::cancelled;
    case StopCause::none: return AttemptOutcome::lost;
    case StopCause::kill: break;
    }
    return AttemptOutcome::killed;
}

}  // namespace

StopVerdict Instance::stop(TimePoint now, const RunKey& key, const Token& token, StopMode mode,
                           Duration grace, Actions& out, std::string reason) {
    const auto known = std::ranges::find(runs_, key, &Run::key);
    if (known == runs_.end()) {
        fence(key);
        exit_if_drained(out);
        return StopVerdict::fenced;
    }
    if (known->token != token && !token.empty()) return StopVerdict::wrong_token;
    if (!known->is_live()) {
        out.push_back(Action::report_now);
        return StopVerdict::ended;
    }
    if (mode == StopMode::fence) fence(key);
    if (mode == StopMode::host) known->stop_reason = std::move(reason);
    begin_stop(now, *known, cause_of(mode), grace, out);
    return StopVerdict::stopping;
}

// What it says after its stop began does not count; how it went does.
void Instance::end_returned(TimePoint now, Run& run, const FunctionEnd& end, Actions& out) {
    run.end.exit_code = end.exit_code;
    run.end.signal = end.signal;
    run.end.http_status = end.http_status;
    run.end.usage = end.usage;
    run.end.oom = end.oom;
    if (end.runtime_gone) set_broken("the runtime ended with the run");
    if (!end.still_serving || run.kill_ordered) return;
    if (is_shared()) {
        // Its part of the process has returned; the rest is the others'.
        run.tree_gone = true;
        if (end.left_processes) set_broken("processes of the run were left behind");
        end_stopped(now, run, outcome_of(run.stop_cause, false), out);
        return;
    }
    run.obeyed = true;
    run.kill_ordered = true;
    out.push_back(Action::kill_tree);
}

void Instance::tree_empty(TimePoint now, Actions& out) {
    for (Run& run : runs_) {
        if (run.rank != RunRank::stopping || run.kill_ordered) continue;
        run.tree_gone = true;
        set_broken("a run was stopped");
        end_stopped(now, run, outcome_of(run.stop_cause, false), out);
    }
}

void Instance::tree_killed(TimePoint now, bool found, bool proven, Actions& out) {
    for (Run& run : runs_) {
        if (run.rank != RunRank::stopping) continue;
        run.sigkill_sent = found && !run.obeyed;
        run.tree_gone = proven;
        set_broken("a run was stopped");
        end_stopped(now, run, outcome_of(run.stop_cause, run.sigkill_sent), out);
    }
    if (destroying_) out.push_back(Action::exit);
}

void Instance::begin_stop(TimePoint now, Run& run, StopCause cause, Duration grace, Actions& out) {
    run.stop_cause = std::max(run.stop_cause, cause);
    const TimePoint kill_at = now + grace;
    if (run.rank != RunRank::stopping) {
        run.rank = RunRank::stopping;
        run.kill_at = kill_at;
        ++run.version;
        if (is_shared()) {
            if (!places_.returns_are_heard)
                set_broken("a run was stopped that its server may still work on");
            out.emplace_back(Action::cancel_run, run.key);
        }
        terminate_if_nobody_stays(out);
        out.push_back(Action::report_now);
    }
    run.kill_at = std::min(run.kill_at, kill_at);
    end_grace(now, run, out);
}

// Its processes are ended where they are no other run's too. Else it is given up.
void Instance::end_grace(TimePoint now, Run& run, Actions& out) {
    if (run.rank != RunRank::stopping || run.kill_ordered || run.kill_at > now) return;
    if (live_count() == 1) {
        set_broken("a run was stopped");
        run.kill_ordered = true;
        out.push_back(Action::kill_tree);
        return;
    }
    set_broken("a run did not return when it was stopped");
    run.end.message =
        "it had not returned at the end of its grace; its instance serves others, "
        "and ends after them";
    end_stopped(now, run, outcome_of(run.stop_cause, false), out);
}

// Only runs that are being stopped are left in an instance of no more use: it is ended.
void Instance::terminate_if_nobody_stays(Actions& out) {
    if (terminated_ || (is_shared() && state_ != InstanceState::broken) || !has_live()) return;
    const bool stays = std::ranges::any_of(
        runs_, [](const Run& run) { return run.is_live() && run.rank != RunRank::stopping; });
    if (stays) return;
    terminated_ = true;
    out.push_back(Action::terminate);
}

void Instance::end_stopped(TimePoint now, Run& run, AttemptOutcome outcome, Actions& out) {
    run.end.success = false;
    run.end.result.reset();
    if (run.stop_cause == StopCause::none) {
        run.end.reason = FailureReason::lost;
        run.end.message = run.stop_reason;
    }
    if (run.stop_cause == StopCause::timeout) run.end.reason = FailureReason::timeout;
    if (run.stop_cause == StopCause::deadline) run.end.reason = FailureReason::deadline;
    end_run(now, run, outcome, out);
}

}  // namespace longhaul::runtime_agent_ext
