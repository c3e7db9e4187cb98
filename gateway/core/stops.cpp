// Cancel, kill, and what time brings: limits passed, hosts silent.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

Duration default_grace(StopCause cause, const FunctionSpec& function) {
    switch (cause) {
    case StopCause::cancel: return function.cancel_grace;
    case StopCause::kill: return function.kill_grace;
    case StopCause::timeout:
    case StopCause::deadline:
    case StopCause::none: break;
    }
    return function.timeout_grace;
}

Trigger trigger_of(StopCause cause) {
    switch (cause) {
    case StopCause::kill: return Trigger::kill;
    case StopCause::cancel: return Trigger::cancel;
    case StopCause::deadline: return Trigger::deadline;
    case StopCause::timeout:
    case StopCause::none: break;
    }
    return Trigger::timeout;
}

Failure expiry(FailureReason reason, const Invocation& invocation) {
    Failure failure;
    failure.reason = reason;
    failure.fault = fault_of(reason);
    failure.message =
        reason == FailureReason::queue_ttl
            ? "it did not start within its queue TTL of " +
                  format_duration(
                      invocation.options.queue_ttl.value_or(invocation.function->queue_ttl))
            : "its deadline " + format_rfc3339(invocation.deadline) + " passed before it started";
    return failure;
}

}  // namespace

Result<void> Scheduler::stop(TimePoint now, const StopRequest& request, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_entry(request.id);
    if (!entry || entry->invocation.tenant != request.tenant)
        return make_error(Errc::not_found, "there is no invocation " + request.id.text);
    Invocation& invocation = entry->invocation;
    if (is_terminal(invocation.state)) {
        if (invocation.stop.cause >= StopCause::cancel) return {};  // a repetition
        return make_error(
            Errc::conflict,
            "the invocation has already ended: " + std::string(to_string(invocation.state)),
            "already-finished");
    }
    Stop stop;
    stop.cause = request.cause;
    stop.by = request.by;
    stop.reason = request.reason;
    stop.grace = request.grace.value_or(default_grace(request.cause, *invocation.function));
    stop.at = now;
    if (holds_slot(invocation.state)) {
        begin_stop(now, *entry, std::move(stop), out);
        return {};
    }
    const auto next = transition(invocation.state, trigger_of(request.cause), {});
    LH_ASSERT(next.has_value());
    stop.confirmed = true;  // nothing runs
    TerminalRecord record;
    record.change = change(*entry, now, *next);
    record.stop = std::move(stop);
    finish(now, *entry, std::move(record), out);
    grant(now, out);
    return {};
}

// Where the end was reported already and its result is being copied, the wish is recorded and the
// end stands: no word goes to the host.
void Scheduler::begin_stop(TimePoint now, Entry& entry, Stop stop, Outcome& out) {
    TransitionFacts facts;
    facts.stop_cause = entry.invocation.stop.cause;
    const auto next = transition(entry.invocation.state, trigger_of(stop.cause), facts);
    if (!next) return;  // no higher cause: a repetition
    StopIntentRecord record;
    record.change = change(entry, now, *next);
    record.stop = std::move(stop);
    commit(entry, std::move(record), out);
    if (entry.awaits_result())
        deadlines_.clear(entry.seat);
    else
        send_stop(entry, out);
    grant(now, out);
}

void Scheduler::send_stop(const Entry& entry, Outcome& out) const {
    const Invocation& invocation = entry.invocation;
    const Attempt& attempt = *invocation.current();
    StopEffect effect;
    effect.id = invocation.id;
    effect.attempt = attempt.number;
    effect.token = attempt.token;
    effect.host = attempt.host;
    effect.host_address = host_address(attempt.host, attempt.host_address);
    effect.cause = invocation.stop.cause;
    effect.grace = invocation.stop.grace;
    effect.instance = attempt.instance;
    out.effects.push_back(std::move(effect));
}

void Scheduler::stop_was_fence(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                               Outcome& out) {
    last_now_ = now;
    Entry* entry = find_attempt(id, attempt);
    if (!entry || entry->awaits_result() || entry->invocation.state != State::stopping) return;
    TransitionFacts facts;
    facts.stop_cause = entry->invocation.stop.cause;
    const auto next = transition(State::stopping, Trigger::stop_confirmed, facts);
    LH_ASSERT(next.has_value());
    FencedRecord record;
    record.change = change(*entry, now, State::stopping);
    record.attempt = attempt;
    commit(*entry, std::move(record), out);
    AttemptEnd end;
    end.attempt = attempt;
    end.outcome = facts.stop_cause == StopCause::kill     ? AttemptOutcome::killed
                  : facts.stop_cause == StopCause::cancel ? AttemptOutcome::cancelled
                                                          : AttemptOutcome::timed_out;
    std::optional<Failure> failure;
    if (*next == State::timed_out) failure = expiry(FailureReason::deadline, entry->invocation);
    Stop stop = entry->invocation.stop;
    stop.confirmed = true;  // it never started and never will
    observe_run(now, *entry);
    end_attempt(now, *entry, *next, std::move(end), std::move(failure), std::nullopt,
                std::move(stop), out);
    grant(now, out);
}

// The time that it waited for has come: it gets in line behind those that are there.
void Scheduler::release(TimePoint now, Entry& entry, Outcome& out) {
    const Trigger trigger = entry.invocation.state == State::scheduled ? Trigger::not_before_reached
                                                                       : Trigger::backoff_over;
    entry.seat.ticket = next_ticket_++;
    requeue(now, entry, trigger, 0, out);
}

// Its time has come: by state, what is due is known.
void Scheduler::overdue(TimePoint now, Entry& entry, Outcome& out) {
    Invocation& invocation = entry.invocation;
    const auto due = due_at(invocation);
    if (!due || *due > now || entry.awaits_result()) return;
    if (waits_for_time(invocation.state) && invocation.deadline > now)
        return release(now, entry, out);
    if (!holds_slot(invocation.state)) {
        const bool by_deadline = invocation.deadline <= now;
        const Trigger trigger = by_deadline ? Trigger::deadline : Trigger::queue_ttl;
        end_unstarted(
            now, entry, trigger,
            expiry(by_deadline ? FailureReason::deadline : FailureReason::queue_ttl, invocation),
            out);
        return;
    }
    Stop stop;
    stop.cause = invocation.deadline <= now ? StopCause::deadline : StopCause::timeout;
    stop.by = to_string(stop.cause);
    stop.grace = default_grace(stop.cause, *invocation.function);
    stop.at = now;
    begin_stop(now, entry, std::move(stop), out);
}

void Scheduler::tick(TimePoint now, Outcome& out) {
    LH_ASSERT(now >= last_now_);
    last_now_ = now;
    while (Timed* due = deadlines_.pop_due(now)) {
        Entry& entry = entries_.whole(static_cast<Seat&>(*due));
        if (is_terminal(entry.invocation.state)) continue;
        overdue(now, entry, out);
        if (!is_terminal(entry.invocation.state) && !entry.awaits_result()) arm(entry);
        entries_.pack();  // a million may be due at once
    }
    const HostTable::Due due = hosts_.tick(now);
    for (const HostId& host : due.suspect) {
        for (const auto& [id, attempt] : hosts_.find(host)->attempts) {
            Entry* entry = find_entry(id);
            LH_ASSERT(entry != nullptr);
            entry->invocation.suspect = true;
            changed(*entry, out);
        }
    }
    for (const HostId& host : due.ask) out.effects.push_back(AskEffect{host});
    for (const HostId& host : due.gone) {
        const auto attempts = hosts_.find(host)->attempts;  // a copy: losing one removes it
        for (const auto& [id, attempt] : attempts) {
            Entry* entry = find_entry(id);
            LH_ASSERT(entry != nullptr);
            if (entry->awaits_result()) {
                // How it ended is known; only its result went with the host.
                auto gone = make_error(Errc::unavailable, "host " + host.text + " stays away");
                result_copied(now, id, attempt, std::move(gone), out);
                continue;
            }
            lose(now, *entry,
                 "host " + host.text + " has been silent for " +
                     format_duration(limits_.hosts.host_grace),
                 out);
        }
    }
    hosts_.forget_silent(now);
    grant(now, out);
}

std::optional<TimePoint> Scheduler::next_deadline() {
    std::optional<TimePoint> next = deadlines_.next();
    const auto hosts = hosts_.next_deadline();
    if (hosts && (!next || *hosts < *next)) next = hosts;
    if (!backing_off_.empty()) {
        const TimePoint again = backing_off_.begin()->first.first;
        if (!next || again < *next) next = again;
    }
    return next;
}

}  // namespace longhaul::gateway
