// How attempts end, and what that makes of their invocation.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

// The stages up to the take, which the gateway saw, and those that the host reports.
StageTrace joined(const StageTrace& before, StageTrace reported) {
    StageTrace all = before;
    for (auto& stage : reported) {
        const auto known = std::ranges::find(all, stage.first, &StageTrace::value_type::first);
        if (known == all.end())
            all.push_back(std::move(stage));
        else
            known->second = stage.second;
    }
    return all;
}

Trigger trigger_of(const ReportedEnd& end) {
    switch (end.outcome) {
    case AttemptOutcome::succeeded: return Trigger::function_succeeded;
    case AttemptOutcome::timed_out: return Trigger::agent_timed_out;
    case AttemptOutcome::cancelled:
    case AttemptOutcome::killed: return Trigger::stop_confirmed;
    case AttemptOutcome::lost: return Trigger::attempt_lost;
    case AttemptOutcome::route_error:
    case AttemptOutcome::failed: break;
    }
    return end.reason == FailureReason::load ? Trigger::load_failed : Trigger::function_failed;
}

AttemptEnd end_of(const AttemptReport& report) {
    AttemptEnd end;
    end.attempt = report.attempt;
    end.outcome = report.end->outcome;
    end.instance = report.instance;
    end.started_at = report.started_at;
    end.http_status = report.end->http_status;
    end.exit_code = report.end->exit_code;
    end.signal = report.end->signal;
    end.usage = report.usage;
    end.trace = report.trace;
    return end;
}

FailureReason default_reason(State state, const Invocation& invocation) {
    if (state == State::timed_out)
        return invocation.stop.cause == StopCause::deadline ? FailureReason::deadline
                                                            : FailureReason::timeout;
    return FailureReason::error;
}

// Why the attempt ended so, as a retry policy sees it.
FailureReason reason_of(const ReportedEnd& end, const Invocation& invocation) {
    if (end.outcome == AttemptOutcome::lost) return FailureReason::lost;
    if (end.reason == FailureReason::deadline) return FailureReason::deadline;
    const bool is_stop = end.outcome == AttemptOutcome::timed_out ||
                         end.outcome == AttemptOutcome::cancelled ||
                         end.outcome == AttemptOutcome::killed;
    if (is_stop) return default_reason(State::timed_out, invocation);
    return end.reason.value_or(FailureReason::error);
}

// Says so where a policy would have tried it again.
void note_budget(std::optional<Failure>& failure, const FunctionSpec& function) {
    if (!failure) return;
    if (!failure->evidence.empty()) failure->evidence += "; ";
    failure->evidence +=
        "not tried again: the retry budget of function " + function.name.text + " is exhausted";
}

// The error of a document: for every end but success and the ends that a caller asked for.
std::optional<Failure> failure_of(State state, const Invocation& invocation,
                                  const ReportedEnd& end) {
    if (state == State::succeeded || state == State::cancelled || state == State::killed)
        return std::nullopt;
    Failure failure;
    failure.reason = end.reason.value_or(default_reason(state, invocation));
    if (end.outcome == AttemptOutcome::lost) failure.reason = FailureReason::lost;
    // The runtime agent may have kept the deadline where the gateway was away.
    if (state == State::timed_out && failure.reason != FailureReason::deadline)
        failure.reason = default_reason(state, invocation);
    failure.fault = fault_of(failure.reason);
    failure.message = end.message;
    failure.type = end.error_type;
    failure.exit_code = end.exit_code;
    failure.signal = end.signal;
    if (failure.message.empty() && state == State::timed_out)
        failure.message =
            failure.reason == FailureReason::deadline
                ? "its deadline passed"
                : "it ran longer than its limit of " + format_duration(invocation.timeout());
    if (end.outcome == AttemptOutcome::lost) failure.evidence = end.message;
    return failure;
}

}  // namespace

void Scheduler::ack(const AttemptReport& report, Outcome& out) const {
    const bool is_forgotten = entries_.find(report.id) == nullptr;
    out.effects.push_back(AckEffect{report.id, report.attempt, report.host,
                                    host_address(report.host, {}), is_forgotten});
}

void Scheduler::report(TimePoint now, AttemptReport report, Outcome& out) {
    last_now_ = now;
    const bool is_end = report.rank == kRankEnded && report.end.has_value();
    Entry* entry = find_attempt(report.id, report.attempt);
    if (!entry ||
        (entry->invocation.current()->token != report.token && !mutant(Mutant::token_unchecked))) {
        // Another token for this very attempt, by its host: a copy of it, or another life. An
        // answer goes by the attempt's name, and would reach the run that is the right one.
        if (entry && entry->invocation.current()->host == report.host) return;
        // Late: ended, fenced or superseded. The host may forget it, or is told to stop it.
        if (is_end)
            ack(report, out);
        else
            fence_late(report, out);
        return;
    }
    hosts_.heard_of(report.host, {report.id, report.attempt});
    const auto order = std::pair(report.rank, report.version);
    if (order <= std::pair(entry->rank, entry->version)) return;  // I5
    entry->rank = report.rank;
    entry->version = report.version;
    if (!entry->take_is_answered) {
        entry->take_is_answered = true;
        entry->take_answered_at = now;
    }
    report.trace = joined(entry->invocation.current()->trace, std::move(report.trace));
    if (report.progress) entry->invocation.progress = report.progress;
    if (is_end) {
        take_end(now, *entry, std::move(report), out);
        grant(now, out);
        return;
    }
    if (report.rank >= kRankRunning && entry->invocation.state == State::dispatching) {
        StartedRecord record;
        const auto next = transition(State::dispatching, Trigger::start_confirmed, {});
        record.change = change(*entry, report.started_at.value_or(now), *next);
        record.attempt = report.attempt;
        record.instance = report.instance;
        record.trace = report.trace;
        commit(*entry, std::move(record), out);
    }
    entry->invocation.current()->usage = report.usage;
    const Host* host = hosts_.find(entry->invocation.current()->host);
    entry->is_silent = report.silent;
    entry->invocation.suspect = report.silent || (host && host->suspect);
    changed(*entry, out);
}

void Scheduler::started_under_lease(TimePoint now, AttemptReport report, Outcome& out) {
    const AttemptName name{report.id, report.attempt};
    const Entry* before = find_attempt(report.id, report.attempt);
    const bool host_was_first = before != nullptr && before->rank > 0;
    this->report(now, std::move(report), out);
    const Entry* entry = find_attempt(name.first, name.second);
    if (!entry || host_was_first || entry->awaits_result()) return;
    hosts_.expect(entry->invocation.current()->host, name, now + limits_.ask_again);
}

void Scheduler::fence_late(const AttemptReport& report, Outcome& out) const {
    StopEffect effect;
    effect.id = report.id;
    effect.attempt = report.attempt;
    effect.token = report.token;
    effect.host = report.host;
    effect.host_address = host_address(report.host, {});
    effect.instance = report.instance;
    effect.fence = true;
    out.effects.push_back(std::move(effect));
}

// The end is known. A result that is still on its host is copied first: only then is it ours.
void Scheduler::take_end(TimePoint now, Entry& entry, AttemptReport report, Outcome& out) {
    deadlines_.clear(entry.seat);  // no timer fires once an end was reported
    take_lease(now, entry, report);
    if (!report.end->result || !report.end->result_is_remote || mutant(Mutant::result_not_copied)) {
        conclude(now, entry, report, out);
        return;
    }
    const Content& remote = *report.end->result;
    if (remote.size > entry.invocation.function->result_max) {
        report.end->outcome = AttemptOutcome::failed;
        report.end->reason = FailureReason::result_too_large;
        report.end->message = "the result of " + std::to_string(remote.size) +
                              " bytes is larger than the limit result_max of " +
                              std::to_string(entry.invocation.function->result_max);
        report.end->result.reset();
        conclude(now, entry, report, out);
        return;
    }
    FetchResultEffect fetch;
    fetch.id = report.id;
    fetch.attempt = report.attempt;
    fetch.host = report.host;
    fetch.host_address = host_address(report.host, entry.invocation.current()->host_address);
    fetch.expected = remote;
    fetch.result_max = entry.invocation.function->result_max;
    entry.make_rare().ended = std::make_unique<AttemptReport>(std::move(report));
    out.effects.push_back(std::move(fetch));
}

// The next run of this very code may ride on it, even the one that the end makes room for.
void Scheduler::take_lease(TimePoint now, const Entry& entry, const AttemptReport& report) {
    const Host* host = hosts_.find(report.host);
    if (!report.lease || !limits_.use_leases || !host) return;
    const FunctionSpec& function = *entry.invocation.function;
    Lease lease;
    lease.host = report.host;
    lease.epoch = host->news.epoch;
    lease.instance = report.instance;
    lease.address = report.lease->address;
    lease.run_token = report.lease->run_token;
    lease.until = now + report.lease->left - limits_.lease_margin;
    leases_.offer(now, LeaseKey{entry.invocation.tenant, function.name, function.version},
                  std::move(lease));
    // Where no host has room for a take, there may still be this way.
    fair_.open([&](const Demand& demand) {
        return demand == Demand{memory_mb_of_run(function), cpu_millis_of_run(function)};
    });
}

void Scheduler::result_copied(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                              Result<Content> result, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_attempt(id, attempt);
    if (!entry || !entry->awaits_result()) {
        if (result && !result->file.empty()) out.effects.push_back(DropFileEffect{result->file});
        return;
    }
    AttemptReport report = std::move(*entry->rare->ended);
    entry->drop_report();
    if (result) {
        report.end->result = std::move(*result);
        report.end->result_is_remote = false;
    } else if (report.end->outcome != AttemptOutcome::succeeded) {
        report.end->result.reset();  // it failed for a reason of its own, which stands
    } else {
        report.end->result.reset();
        report.end->outcome = AttemptOutcome::failed;
        report.end->reason = FailureReason::result_lost;
        report.end->message = "the result could not be copied: " + result.error().message;
    }
    conclude(now, *entry, report, out);
    grant(now, out);
}

void Scheduler::conclude(TimePoint now, Entry& entry, const AttemptReport& report, Outcome& out) {
    const ReportedEnd& end = *report.end;
    const HostWords words{end.sigkill_sent, end.retry_after};
    FailureReason reason = reason_of(end, entry.invocation);
    Verdict verdict = judge(now, entry, trigger_of(end), reason, words);
    // Stopped without a stop intent of ours: somebody on the host did it. A failure by signal.
    if (!verdict.next) {
        reason = end.reason.value_or(FailureReason::signal);
        verdict = judge(now, entry, Trigger::function_failed, reason, words);
    }
    LH_ASSERT(verdict.next.has_value());
    observe_run(now, entry);
    if (*verdict.next == State::retrying) {
        retry_later(now, entry, end_of(report), reason, end.message, verdict.due_at, out);
        if (end.result && !end.result->file.empty())
            out.effects.push_back(DropFileEffect{end.result->file});
        ack(report, out);
        return;
    }
    std::optional<Stop> stop;
    if (entry.invocation.stop.cause != StopCause::none) {
        stop = entry.invocation.stop;
        stop->sigkill_sent = end.sigkill_sent;
        stop->confirmed = end.tree_gone;
    }
    auto failure = failure_of(*verdict.next, entry.invocation, end);
    if (verdict.is_out_of_budget) note_budget(failure, *entry.invocation.function);
    end_attempt(now, entry, *verdict.next, end_of(report), std::move(failure), end.result,
                std::move(stop), out);
    ack(report, out);
}

void Scheduler::observe_run(TimePoint now, const Entry& entry) {
    const Attempt& attempt = *entry.invocation.current();
    const TimePoint began = attempt.started_at.value_or(attempt.dispatched_at);
    queue_of(entry.invocation).observe_run(std::max(Duration::zero(), now - began));
}

void Scheduler::end_attempt(TimePoint now, Entry& entry, State next, AttemptEnd end,
                            std::optional<Failure> failure, std::optional<Content> result,
                            std::optional<Stop> stop, Outcome& out) {
    entry.drop_report();
    LH_ASSERT(is_terminal(next));
    TerminalRecord record;
    record.change = change(entry, now, next);
    record.end = std::move(end);
    record.failure = std::move(failure);
    record.result = std::move(result);
    record.stop = std::move(stop);
    finish(now, entry, std::move(record), out);
}

void Scheduler::finish(TimePoint, Entry& entry, TerminalRecord record, Outcome& out) {
    const std::string body_file = entry.invocation.body.file;
    commit(entry, std::move(record), out);
    LH_ASSERT(is_terminal(entry.invocation.state));
    if (!body_file.empty() && !limits_.keep_bodies)
        out.effects.push_back(DropFileEffect{body_file});
}

// An end without a run: refused by every host, expired, or cancelled while it waited.
void Scheduler::end_unstarted(TimePoint now, Entry& entry, Trigger trigger, Failure failure,
                              Outcome& out) {
    const auto next = transition(entry.invocation.state, trigger, {});
    LH_ASSERT(next.has_value());
    TerminalRecord record;
    record.change = change(entry, now, *next);
    if (holds_slot(entry.invocation.state)) {
        AttemptEnd end;
        end.attempt = entry.invocation.current()->number;
        end.outcome = AttemptOutcome::route_error;
        record.end = end;
    }
    record.failure = std::move(failure);
    finish(now, entry, std::move(record), out);
}

void Scheduler::load_failed(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                            const std::string& message, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_attempt(id, attempt);
    if (!entry || entry->awaits_result()) return;  // an end that was reported stands
    if (entry->invocation.state == State::stopping) {
        stop_was_fence(now, id, attempt, out);
        return;
    }
    if (entry->invocation.state != State::dispatching) return;
    const Verdict verdict = judge(now, *entry, Trigger::load_failed, FailureReason::load, {});
    AttemptEnd end;
    end.attempt = attempt;
    end.outcome = AttemptOutcome::failed;
    if (verdict.next == State::retrying) {
        retry_later(now, *entry, std::move(end), FailureReason::load, message, verdict.due_at, out);
    } else {
        std::optional<Failure> failure{std::in_place};
        failure->reason = FailureReason::load;
        failure->fault = fault_of(failure->reason);
        failure->message = message;
        if (verdict.is_out_of_budget) note_budget(failure, *entry->invocation.function);
        end_attempt(now, *entry, State::failed, std::move(end), std::move(failure), std::nullopt,
                    std::nullopt, out);
    }
    grant(now, out);
}

void Scheduler::fence(TimePoint now, Entry& entry, Outcome& out) {
    FencedRecord record;
    record.change = change(entry, now, entry.invocation.state);
    record.attempt = entry.invocation.current()->number;
    commit(entry, std::move(record), out);
    if (mutant(Mutant::fence_not_told)) return;
    StopEffect effect;
    const Attempt& attempt = *entry.invocation.current();
    effect.id = entry.invocation.id;
    effect.attempt = attempt.number;
    effect.token = attempt.token;
    effect.host = attempt.host;
    effect.host_address = host_address(attempt.host, attempt.host_address);
    effect.instance = attempt.instance;
    effect.fence = true;
    hosts_.owe_fence(effect.host, {effect.id, effect.attempt}, {effect.token, effect.instance});
    out.effects.push_back(std::move(effect));
}

void Scheduler::fence_told(TimePoint now, const HostId& host, const InvocationId& id,
                           AttemptNumber attempt, Outcome& out) {
    last_now_ = now;
    if (hosts_.fence_told(host, {id, attempt})) grant(now, out);
}

// Positive evidence that the attempt is gone: fence it, then judge.
void Scheduler::lose(TimePoint now, Entry& entry, const std::string& evidence, Outcome& out) {
    if (!mutant(Mutant::fence_forgotten)) fence(now, entry, out);
    const Verdict verdict = judge(now, entry, Trigger::attempt_lost, FailureReason::lost, {});
    const auto next = verdict.next;
    LH_ASSERT(next.has_value());
    observe_run(now, entry);
    AttemptEnd end;
    end.attempt = entry.invocation.current()->number;
    end.outcome = AttemptOutcome::lost;
    if (*next == State::retrying) {
        retry_later(now, entry, std::move(end), FailureReason::lost, evidence, verdict.due_at, out);
        return;
    }
    std::optional<Failure> failure;
    if (*next == State::failed || *next == State::timed_out) {
        failure.emplace();
        failure->reason =
            *next == State::failed ? FailureReason::lost : default_reason(*next, entry.invocation);
        failure->fault = fault_of(FailureReason::lost);
        failure->message = "the run was lost with its host or instance";
        failure->evidence = evidence;
    }
    if (verdict.is_out_of_budget) note_budget(failure, *entry.invocation.function);
    std::optional<Stop> stop;
    if (entry.invocation.stop.cause != StopCause::none) {
        stop = entry.invocation.stop;
        stop->confirmed = mutant(Mutant::loss_confirms_stop);
    }
    end_attempt(now, entry, *next, std::move(end), std::move(failure), std::nullopt,
                std::move(stop), out);
}

}  // namespace longhaul::gateway
