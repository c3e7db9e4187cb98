#include "runtime_agent_ext/core/instance.hpp"

#include "runtime_agent_ext/core/pulse.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::runtime_agent_ext {
namespace {

Error conflict(std::string message, std::string type) {
    return make_error(Errc::conflict, std::move(message), std::move(type));
}

}  // namespace

Instance::Instance(const InstanceLimits& limits) : limits_(limits) {}

Result<bool> Instance::begin_load(TimePoint now, std::string fingerprint, Duration limit,
                                  Actions& out, Places places) {
    if (!load_fingerprint_.empty()) {
        if (fingerprint == load_fingerprint_) return false;
        return conflict("another function is loaded here", "already-loaded");
    }
    if (state_ != InstanceState::standby) return conflict("the instance is broken", "broken");
    LH_ASSERT(places.count > 0);
    load_fingerprint_ = std::move(fingerprint);
    load_until_ = now + limit;
    places_ = places;
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
    if (std::ranges::find(assignments_, assignment) != assignments_.end()) return {};
    if (is_fenced(assignment.key)) return conflict("the attempt is fenced", "fenced");
    if (live_count() >= places_.count)
        return conflict("as many invocations run here as may at once", "busy");
    if (is_another_attempt_live(assignment.key))
        return conflict("another attempt of this invocation runs here", "busy");
    if (state_ == InstanceState::broken)
        return conflict("the instance is broken: " + broken_because_, "broken");
    if (draining_) return conflict("the instance is draining", "draining");
    make_place();
    assignments_.push_back(std::move(assignment));
    forget_kept();
    return {};
}

void Instance::offer(std::string run_token) {
    if (is_shared() || state_ != InstanceState::loaded || draining_ || runs_.empty()) return;
    const Run& last = runs_.back();
    assignments_.clear();
    assignments_.push_back({{}, {}, std::move(run_token), true, last.shard, last.owner_term});
}

const Assignment* Instance::offered() const {
    if (state_ != InstanceState::loaded || draining_) return nullptr;
    const auto open = std::ranges::find_if(assignments_, &Assignment::is_offer);
    return open == assignments_.end() ? nullptr : &*open;
}

Result<void> Instance::unassign() {
    if (has_live()) return conflict("an invocation runs here", "busy");
    assignments_.clear();
    forget_kept();
    return {};
}

// Those that can start no more go first, then the oldest: its run was taken back elsewhere, else
// nobody would be assigned here.
void Instance::make_place() {
    std::erase_if(assignments_, [this](const Assignment& given) { return is_fenced(given.key); });
    const auto unused = [this](const Assignment& given) { return is_unused(given); };
    auto count =
        live_count() + static_cast<std::size_t>(std::ranges::count_if(assignments_, unused));
    for (; count >= places_.count; --count)
        assignments_.erase(std::ranges::find_if(assignments_, unused));
}

// The newest run stays known: its start may come again.
void Instance::forget_kept() {
    RunKey newest;
    if (!assignments_.empty())
        newest = assignments_.back().is_offer ? runs_.back().key : assignments_.back().key;
    const auto is_over = [&](const Run& run) { return run.kept && run.key != newest; };
    std::erase_if(assignments_, [&](const Assignment& given) {
        const Run* run = find(given.key);
        return run != nullptr && is_over(*run);
    });
    std::erase_if(runs_, is_over);
}

// The run token was checked at the door, but a body may have taken long since then.
Result<void> Instance::is_assigned(const RunOrder& order) const {
    const auto given = std::ranges::find(assignments_, order.run_token, &Assignment::run_token);
    if (given == assignments_.end())
        return conflict("the instance was taken for another attempt", "not-assigned");
    if (!given->is_offer) {
        if (given->key != order.key || given->token != order.token)
            return conflict("the instance was taken for another attempt", "not-assigned");
        return {};
    }
    if (draining_) return conflict("the instance is draining", "draining");
    if (given->shard != order.shard)
        return conflict("the instance is open to another shard", "not-assigned");
    if (order.owner_term < given->owner_term)
        return make_error(Errc::stale, "the instance is open to a newer owner of this shard",
                          "stale-owner");
    return {};
}

Result<void> Instance::may_start(const RunOrder& order) const {
    if (is_fenced(order.key)) return conflict("the attempt is fenced", "fenced");
    if (live_count() >= places_.count || is_another_attempt_live(order.key))
        return conflict("another invocation runs here", "busy");
    if (auto assigned = is_assigned(order); !assigned) return assigned;
    if (state_ != InstanceState::loaded && state_ != InstanceState::busy)
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
    *std::ranges::find(assignments_, order.run_token, &Assignment::run_token) =
        Assignment{order.key, order.token, order.run_token};
    forget_kept();
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
    out.emplace_back(Action::start_function, order.key);
    out.push_back(Action::report_now);
    return true;
}

void Instance::function_started(const RunKey& key, Actions& out) {
    Run* run = find_live(key);
    if (run == nullptr || run->rank != RunRank::starting) return;
    run->rank = RunRank::running;
    ++run->version;
    out.push_back(Action::report_now);
}

void Instance::first_byte(TimePoint now, const RunKey& key) {
    Run* run = find_live(key);
    if (run != nullptr && !run->first_byte_at) run->first_byte_at = now;
}

void Instance::function_ended(TimePoint now, const RunKey& key, FunctionEnd end, Actions& out) {
    Run* run = find_live(key);
    if (run == nullptr) return;
    if (run->rank == RunRank::stopping) {
        end_returned(now, *run, end, out);
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

void Instance::progress(TimePoint now, const RunKey& key, double percent, std::string message,
                        Actions& out) {
    Run* run = find_live(key);
    if (run == nullptr) return;
    if (message.size() > limits_.progress_text_max) message.resize(limits_.progress_text_max);
    // The first goes at once, so that a short run shows one; after it they wait for company.
    out.push_back(run->progress ? Action::report_soon : Action::report_now);
    run->progress = Progress{std::clamp(percent, 0.0, 100.0), std::move(message), now};
    ++run->version;
}

void Instance::heartbeat(TimePoint now, const RunKey& key, Actions& out) {
    if (Run* run = find_live(key)) hear(now, *run, out);
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

void Instance::kept(const std::vector<RunKey>& keys, Actions& out) {
    for (Run& run : runs_)
        if (!run.is_live() && std::ranges::find(keys, run.key) != keys.end()) run.kept = true;
    forget_kept();
    exit_if_drained(out);
}

void Instance::drain(TimePoint now, Actions& out) {
    if (!draining_) {
        draining_ = true;
        out.push_back(Action::report_now);
    } else {
        for (Run& run : runs_) {
            if (!run.is_live()) continue;
            run.stop_reason = "its runtime agent was told twice to end";
            begin_stop(now, run, StopCause::none, run.timeout_grace, out);
        }
    }
    exit_if_drained(out);
}

void Instance::destroy(TimePoint now, Actions& out) {
    if (destroying_) return;
    destroying_ = true;
    draining_ = true;
    set_broken("destroyed");
    bool ordered = false;
    for (Run& run : runs_) {
        if (!run.is_live()) continue;
        ordered = ordered || run.kill_ordered;
        run.kill_ordered = true;
        begin_stop(now, run, StopCause::kill, Duration::zero(), out);
    }
    if (!ordered) out.push_back(Action::kill_tree);
}

void Instance::tick(TimePoint now, Actions& out) {
    if (load_until_ && *load_until_ <= now) {
        load_ended(now, make_error(Errc::timed_out, "the load took too long", "load-timeout"), out);
        out.push_back(Action::kill_tree);
    }
    for (Run& run : runs_) {
        if (!run.is_live()) continue;
        watch_pulse(now, run, out);
        if (run.rank != RunRank::stopping) {
            const bool past_deadline = run.deadline_at && *run.deadline_at <= now;
            if (past_deadline)
                begin_stop(now, run, StopCause::deadline, run.timeout_grace, out);
            else if (run.timeout_at <= now)
                begin_stop(now, run, StopCause::timeout, run.timeout_grace, out);
        }
        end_grace(now, run, out);
    }
}

std::optional<TimePoint> Instance::next_deadline() const {
    std::optional<TimePoint> next = load_until_;
    const auto consider = [&next](TimePoint when) {
        if (!next || when < *next) next = when;
    };
    for (const Run& run : runs_) {
        if (!run.is_live()) continue;
        if (const auto silent = silent_at(run)) consider(*silent);
        if (run.rank == RunRank::stopping) {
            if (!run.kill_ordered) consider(run.kill_at);
        } else {
            consider(run.timeout_at);
            if (run.deadline_at) consider(*run.deadline_at);
        }
    }
    return next;
}

const Run* Instance::find(const RunKey& key) const {
    const auto found = std::ranges::find(runs_, key, &Run::key);
    return found == runs_.end() ? nullptr : &*found;
}

std::size_t Instance::live_count() const {
    return static_cast<std::size_t>(std::ranges::count_if(runs_, &Run::is_live));
}

void Instance::check_invariants() const {
    LH_ASSERT(live_count() <= places_.count);
    LH_ASSERT(state_ != InstanceState::busy || has_live());
    LH_ASSERT(state_ != InstanceState::loaded || !has_live());
    LH_ASSERT(fences_.size() <= limits_.fences_max);
    for (const Run& run : runs_) {
        LH_ASSERT(run.is_live() == !run.outcome.has_value());
        LH_ASSERT(run.is_live() == !run.ended_at.has_value());
        LH_ASSERT(run.stop_cause == StopCause::none || run.outcome != AttemptOutcome::succeeded);
    }
}

Run* Instance::find_live(const RunKey& key) {
    const auto found = std::ranges::find(runs_, key, &Run::key);
    return found == runs_.end() || !found->is_live() ? nullptr : &*found;
}

bool Instance::is_fenced(const RunKey& key) const {
    return std::ranges::find(fences_, key) != fences_.end();
}

bool Instance::is_unused(const Assignment& assignment) const {
    return assignment.is_offer || find(assignment.key) == nullptr;
}

// The function knows its runs by their invocation.
bool Instance::is_another_attempt_live(const RunKey& key) const {
    return std::ranges::any_of(runs_, [&key](const Run& run) {
        return run.is_live() && run.key.invocation == key.invocation && run.key != key;
    });
}

// The oldest goes first: only attempts that are assigned can still start, and they are among the
// newest.
void Instance::fence(const RunKey& key) {
    if (is_fenced(key)) return;
    fences_.push_back(key);
    if (fences_.size() > limits_.fences_max) fences_.pop_front();
}

void Instance::end_run(TimePoint now, Run& run, AttemptOutcome outcome, Actions& out) {
    run.rank = RunRank::ended;
    run.outcome = outcome;
    run.ended_at = now;
    ++run.version;
    if (state_ == InstanceState::busy && !has_live()) state_ = InstanceState::loaded;
    terminate_if_nobody_stays(out);
    out.push_back(Action::report_now);
}

void Instance::set_broken(std::string why) {
    if (state_ == InstanceState::broken) return;
    state_ = InstanceState::broken;
    broken_because_ = std::move(why);
}

// An assignment that was given before the drain is a promise. An offer promises nothing.
bool Instance::may_still_start() const {
    if (state_ != InstanceState::loaded && state_ != InstanceState::busy) return false;
    return std::ranges::any_of(assignments_, [this](const Assignment& given) {
        return !given.is_offer && find(given.key) == nullptr && !is_fenced(given.key);
    });
}

void Instance::exit_if_drained(Actions& out) const {
    if (!draining_ || destroying_ || has_live() || may_still_start()) return;
    if (std::ranges::all_of(runs_, &Run::kept)) out.push_back(Action::exit);
}

}  // namespace longhaul::runtime_agent_ext
