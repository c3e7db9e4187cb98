#include "runtime_agent_ext/core/instance.hpp"

#include "runtime_agent_ext/core/pulse.hpp"

#include "longhaul/base/assert.hpp"

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

Error conflict(std::string message, std::string type) {
    return make_error(Errc::conflict, std::move(message), std::move(type));
}

}  // namespace

Instance::Instance(const InstanceLimits& limits) : limits_(limits) {}

Result<bool> Instance::begin_load(TimePoint now, std::string fingerprint, Duration limit,
                                  Actions& out) {
    if (!load_fingerprint_.empty()) {
        if (fingerprint == load_fingerprint_) return false;
        return conflict("another function is loaded here", "already-loaded");
    }
    if (state_ != InstanceState::standby) return conflict("the instance is broken", "broken");
    load_fingerprint_ = std::move(fingerprint);
    load_until_ = now + limit;
    state_ = InstanceState::loading;
    out.push_back(Action::report_now);
    return true;
}

void Instance::load_ended(TimePoint, Result<void> result, Actions& out) {
    if (state_ != InstanceState::loading) return;
    load_until_.reset();
    if (result) {
        state_ = InstanceState::loaded;
    } else {
        load_error_ = result.error();
        set_broken("the load failed: " + result.error().message);
    }
    out.push_back(Action::report_now);
}

Result<void> Instance::assign(Assignment assignment) {
    if (assignment_ == assignment) return {};
    if (is_fenced(assignment.key)) return conflict("the attempt is fenced", "fenced");
    if (live() != nullptr) return conflict("another invocation runs here", "busy");
    if (state_ == InstanceState::broken)
        return conflict("the instance is broken: " + broken_because_, "broken");
    if (draining_) return conflict("the instance is draining", "draining");
    assignment_ = std::move(assignment);
    std::erase_if(runs_, [](const Run& run) { return run.kept; });
    return {};
}

void Instance::offer(std::string run_token) {
    if (state_ != InstanceState::loaded || draining_ || runs_.empty()) return;
    const Run& last = runs_.back();
    if (last.is_live()) return;
    assignment_ = Assignment{{}, {}, std::move(run_token), true, last.shard, last.owner_term};
}

const Assignment* Instance::offered() const {
    const bool is_open = assignment_ && assignment_->is_offer && state_ == InstanceState::loaded;
    return is_open && !draining_ ? &*assignment_ : nullptr;
}

Result<void> Instance::unassign() {
    if (live() != nullptr) return conflict("an invocation runs here", "busy");
    assignment_.reset();
    std::erase_if(runs_, [](const Run& run) { return run.kept; });
    return {};
}

// The run token was checked at the door, but a body may have taken long since then.
Result<void> Instance::is_assigned(const RunOrder& order) const {
    if (!assignment_ || assignment_->run_token != order.run_token)
        return conflict("the instance was taken for another attempt", "not-assigned");
    if (!assignment_->is_offer) {
        if (assignment_->key != order.key || assignment_->token != order.token)
            return conflict("the instance was taken for another attempt", "not-assigned");
        return {};
    }
    if (draining_) return conflict("the instance is draining", "draining");
    if (assignment_->shard != order.shard)
        return conflict("the instance is open to another shard", "not-assigned");
    if (order.owner_term < assignment_->owner_term)
        return make_error(Errc::stale, "the instance is open to a newer owner of this shard",
                          "stale-owner");
    return {};
}

Result<void> Instance::may_start(const RunOrder& order) const {
    if (is_fenced(order.key)) return conflict("the attempt is fenced", "fenced");
    if (live() != nullptr) return conflict("another invocation runs here", "busy");
    if (auto assigned = is_assigned(order); !assigned) return assigned;
    if (state_ != InstanceState::loaded)
        return conflict("no function is loaded here", "not-loaded");
    return {};
}

Result<bool> Instance::start(TimePoint now, const RunOrder& order, Actions& out) {
    if (const Run* known = find(order.key)) {
        if (known->token == order.token) return false;
        return conflict("the attempt runs under another token", "not-assigned");
    }
    if (auto allowed = may_start(order); !allowed) return allowed.error();
    // An offer is used up by the run that came first.
    if (assignment_->is_offer) std::erase_if(runs_, [](const Run& run) { return run.kept; });
    assignment_ = Assignment{order.key, order.token, order.run_token};
    Run run;
    run.key = order.key;
    run.token = order.token;
    run.run_token = order.run_token;
    run.shard = order.shard;
    run.owner_term = order.owner_term;
    run.started_at = now;
    run.timeout_at = now + order.timeout;
    run.timeout_grace = order.timeout_grace;
    if (order.deadline) run.deadline_at = now + *order.deadline;
    run.heartbeat_timeout = order.heartbeat_timeout;
    run.heard_at = now;
    runs_.push_back(std::move(run));
    state_ = InstanceState::busy;
    out.push_back(Action::start_function);
    out.push_back(Action::report_now);
    return true;
}

void Instance::function_started(Actions& out) {
    Run* run = live_mutable();
    if (run == nullptr || run->rank != RunRank::starting) return;
    run->rank = RunRank::running;
    ++run->version;
    out.push_back(Action::report_now);
}

void Instance::first_byte(TimePoint now) {
    Run* run = live_mutable();
    if (run != nullptr && !run->first_byte_at) run->first_byte_at = now;
}

void Instance::function_ended(TimePoint now, FunctionEnd end, Actions& out) {
    Run* run = live_mutable();
    if (run == nullptr) return;
    if (run->rank == RunRank::stopping) {
        // What it says after its stop began does not count; how it went does.
        run->end.exit_code = end.exit_code;
        run->end.signal = end.signal;
        run->end.http_status = end.http_status;
        run->end.usage = end.usage;
        run->end.oom = end.oom;
        if (end.still_serving && !run->kill_ordered) {
            run->obeyed = true;
            run->kill_ordered = true;
            out.push_back(Action::kill_tree);
        }
        return;
    }
    if (end.left_processes) set_broken("processes of the run were left behind");
    if (end.runtime_gone) set_broken("the runtime ended with the run");
    if (end.given_up) set_broken("a run was given up that its server may still work on");
    const auto outcome = end.success ? AttemptOutcome::succeeded : AttemptOutcome::failed;
    run->tree_gone = !end.left_processes && !end.given_up;
    run->end = std::move(end);
    end_run(now, *run, outcome, out);
}

void Instance::progress(TimePoint now, double percent, std::string message, Actions& out) {
    Run* run = live_mutable();
    if (run == nullptr) return;
    if (message.size() > limits_.progress_text_max) message.resize(limits_.progress_text_max);
    // The first goes at once, so that a short run shows one; after it they wait for company.
    out.push_back(run->progress ? Action::report_soon : Action::report_now);
    run->progress = Progress{std::clamp(percent, 0.0, 100.0), std::move(message), now};
    ++run->version;
}

void Instance::heartbeat(TimePoint now, Actions& out) {
    if (Run* run = live_mutable()) hear(now, *run, out);
}

void Instance::tree_empty(TimePoint now, Actions& out) {
    Run* run = live_mutable();
    if (run == nullptr || run->rank != RunRank::stopping || run->kill_ordered) return;
    run->tree_gone = true;
    end_stopped(now, *run, out);
}

void Instance::tree_killed(TimePoint now, bool found, bool proven, Actions& out) {
    Run* run = live_mutable();
    if (run != nullptr && run->rank == RunRank::stopping) {
        run->sigkill_sent = found && !run->obeyed;
        run->tree_gone = proven;
        end_stopped(now, *run, out);
    }
    if (destroying_) out.push_back(Action::exit);
}

void Instance::break_down(TimePoint now, std::string why, Actions& out) {
    if (state_ == InstanceState::loading) {
        load_ended(now, make_error(Errc::refused, std::move(why), "load-failed"), out);
        return;
    }
    if (state_ == InstanceState::broken) return;
    set_broken(std::move(why));
    out.push_back(Action::report_now);
}

StopVerdict Instance::stop(TimePoint now, const RunKey& key, const Token& token, StopMode mode,
                           Duration grace, Actions& out, std::string reason) {
    Run* run = find_mutable(key);
    if (run == nullptr) {
        fence(key);
        exit_if_drained(out);
        return StopVerdict::fenced;
    }
    if (run->token != token && !token.empty()) return StopVerdict::wrong_token;
    if (!run->is_live()) {
        out.push_back(Action::report_now);
        return StopVerdict::ended;
    }
    if (mode == StopMode::fence) fence(key);
    if (mode == StopMode::host) run->stop_reason = std::move(reason);
    begin_stop(now, *run, cause_of(mode), grace, out);
    return StopVerdict::stopping;
}

void Instance::kept(const std::vector<RunKey>& keys, Actions& out) {
    for (const RunKey& key : keys) {
        Run* run = find_mutable(key);
        if (run != nullptr && !run->is_live()) run->kept = true;
    }
    // Under an offer the last run stays known: its start may come again.
    std::erase_if(runs_, [this](const Run& run) {
        if (!run.kept) return false;
        if (!assignment_) return true;
        const RunKey& next = assignment_->is_offer ? runs_.back().key : assignment_->key;
        return run.key != next;
    });
    exit_if_drained(out);
}

void Instance::drain(TimePoint now, Actions& out) {
    if (!draining_) {
        draining_ = true;
        out.push_back(Action::report_now);
    } else if (Run* run = live_mutable()) {
        run->stop_reason = "its runtime agent was told twice to end";
        begin_stop(now, *run, StopCause::none, run->timeout_grace, out);
    }
    exit_if_drained(out);
}

void Instance::destroy(TimePoint now, Actions& out) {
    if (destroying_) return;
    destroying_ = true;
    draining_ = true;
    set_broken("destroyed");
    if (Run* run = live_mutable()) {
        begin_stop(now, *run, StopCause::kill, Duration::zero(), out);
        if (run->kill_ordered) return;
        run->kill_ordered = true;
    }
    out.push_back(Action::kill_tree);
}

void Instance::tick(TimePoint now, Actions& out) {
    if (load_until_ && *load_until_ <= now) {
        load_ended(now, make_error(Errc::timed_out, "the load took too long", "load-timeout"), out);
        out.push_back(Action::kill_tree);
    }
    Run* run = live_mutable();
    if (run == nullptr) return;
    watch_pulse(now, *run, out);
    if (run->rank != RunRank::stopping) {
        const bool past_deadline = run->deadline_at && *run->deadline_at <= now;
        if (past_deadline)
            begin_stop(now, *run, StopCause::deadline, run->timeout_grace, out);
        else if (run->timeout_at <= now)
            begin_stop(now, *run, StopCause::timeout, run->timeout_grace, out);
    }
    if (run->rank == RunRank::stopping && !run->kill_ordered && run->kill_at <= now) {
        run->kill_ordered = true;
        out.push_back(Action::kill_tree);
    }
}

std::optional<TimePoint> Instance::next_deadline() const {
    std::optional<TimePoint> next = load_until_;
    const auto consider = [&next](TimePoint when) {
        if (!next || when < *next) next = when;
    };
    if (const Run* run = live()) {
        if (const auto silent = silent_at(*run)) consider(*silent);
        if (run->rank == RunRank::stopping) {
            if (!run->kill_ordered) consider(run->kill_at);
        } else {
            consider(run->timeout_at);
            if (run->deadline_at) consider(*run->deadline_at);
        }
    }
    return next;
}

const Run* Instance::find(const RunKey& key) const {
    const auto found = std::ranges::find(runs_, key, &Run::key);
    return found == runs_.end() ? nullptr : &*found;
}

const Run* Instance::live() const {
    const auto found = std::ranges::find_if(runs_, &Run::is_live);
    return found == runs_.end() ? nullptr : &*found;
}

void Instance::check_invariants() const {
    LH_ASSERT(std::ranges::count_if(runs_, &Run::is_live) <= 1);
    LH_ASSERT(state_ != InstanceState::busy || live() != nullptr);
    LH_ASSERT(state_ != InstanceState::loaded || live() == nullptr);
    LH_ASSERT(fences_.size() <= limits_.fences_max);
    for (const Run& run : runs_) {
        LH_ASSERT(run.is_live() == !run.outcome.has_value());
        LH_ASSERT(run.is_live() == !run.ended_at.has_value());
        LH_ASSERT(run.stop_cause == StopCause::none || run.outcome != AttemptOutcome::succeeded);
    }
}

Run* Instance::find_mutable(const RunKey& key) {
    const auto found = std::ranges::find(runs_, key, &Run::key);
    return found == runs_.end() ? nullptr : &*found;
}

Run* Instance::live_mutable() {
    const auto found = std::ranges::find_if(runs_, &Run::is_live);
    return found == runs_.end() ? nullptr : &*found;
}

bool Instance::is_fenced(const RunKey& key) const {
    return std::ranges::find(fences_, key) != fences_.end();
}

// The oldest goes first: only the attempt that is assigned can still start, and it is among the
// newest.
void Instance::fence(const RunKey& key) {
    if (is_fenced(key)) return;
    fences_.push_back(key);
    if (fences_.size() > limits_.fences_max) fences_.pop_front();
}

void Instance::begin_stop(TimePoint now, Run& run, StopCause cause, Duration grace, Actions& out) {
    run.stop_cause = std::max(run.stop_cause, cause);
    const TimePoint kill_at = now + grace;
    if (run.rank != RunRank::stopping) {
        run.rank = RunRank::stopping;
        run.kill_at = kill_at;
        ++run.version;
        out.push_back(Action::terminate);
        out.push_back(Action::report_now);
    }
    run.kill_at = std::min(run.kill_at, kill_at);
    if (!run.kill_ordered && run.kill_at <= now) {
        run.kill_ordered = true;
        out.push_back(Action::kill_tree);
    }
}

void Instance::end_run(TimePoint now, Run& run, AttemptOutcome outcome, Actions& out) {
    run.rank = RunRank::ended;
    run.outcome = outcome;
    run.ended_at = now;
    ++run.version;
    if (state_ == InstanceState::busy) state_ = InstanceState::loaded;
    out.push_back(Action::report_now);
}

void Instance::end_stopped(TimePoint now, Run& run, Actions& out) {
    run.end.success = false;
    run.end.result.reset();
    if (run.stop_cause == StopCause::none) {
        run.end.reason = FailureReason::lost;
        run.end.message = run.stop_reason;
    }
    if (run.stop_cause == StopCause::timeout) run.end.reason = FailureReason::timeout;
    if (run.stop_cause == StopCause::deadline) run.end.reason = FailureReason::deadline;
    set_broken("a run was stopped");
    end_run(now, run, outcome_of(run.stop_cause, run.sigkill_sent), out);
}

void Instance::set_broken(std::string why) {
    if (state_ == InstanceState::broken) return;
    state_ = InstanceState::broken;
    broken_because_ = std::move(why);
}

// An assignment that was given before the drain is a promise. An offer promises nothing.
bool Instance::may_still_start() const {
    return assignment_ && !assignment_->is_offer && state_ == InstanceState::loaded &&
           find(assignment_->key) == nullptr && !is_fenced(assignment_->key);
}

void Instance::exit_if_drained(Actions& out) const {
    if (!draining_ || destroying_ || live() != nullptr || may_still_start()) return;
    if (std::ranges::all_of(runs_, &Run::kept)) out.push_back(Action::exit);
}

}  // namespace longhaul::runtime_agent_ext
