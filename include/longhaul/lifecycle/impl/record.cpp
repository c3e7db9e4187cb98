#include "longhaul/lifecycle/record.hpp"

#include "longhaul/base/assert.hpp"

namespace longhaul {
namespace {

// Each overload is one record's effect beyond state and revision.

void apply_to(const DispatchingRecord& record, Invocation& invocation) {
    // A route try that certainly started nothing leaves no attempt behind once the next one begins:
    // a thousand polls for capacity must not become a thousand attempts in the document.
    Attempt* current = invocation.current();
    if (current && current->outcome == AttemptOutcome::route_error)
        *current = record.attempt;
    else
        invocation.attempts.push_back(record.attempt);
    invocation.route_tries = record.route_tries;
    invocation.phase = Phase::acquiring_route;
}

void apply_to(const StartedRecord& record, Invocation& invocation) {
    invocation.phase = Phase::none;
    Attempt* current = invocation.current();
    if (!current || current->number != record.attempt) return;
    current->started_at = record.change.at;
    if (!record.instance.empty()) current->instance = record.instance;
    if (!record.trace.empty()) current->trace = record.trace;
    if (!invocation.started_at) invocation.started_at = record.change.at;
}

void apply_to(const RequeuedRecord& record, Invocation& invocation) {
    invocation.phase = Phase::none;
    invocation.suspect = false;  // nothing of it is on a host
    invocation.route_tries = record.route_tries;
    Attempt* current = invocation.current();
    if (!current || current->outcome) {
        invocation.due_at = record.change.at;  // its time had come: from now on it is in line
        return;
    }
    current->outcome = AttemptOutcome::route_error;
    current->ended_at = record.change.at;
}

void apply_to(const StopIntentRecord& record, Invocation& invocation) {
    invocation.stop = record.stop;
}

void apply_to(const FencedRecord& record, Invocation& invocation) {
    for (Attempt& attempt : invocation.attempts)
        if (attempt.number == record.attempt) attempt.fenced = true;
}

void end_attempt(const AttemptEnd& end, TimePoint at, Invocation& invocation) {
    for (Attempt& attempt : invocation.attempts) {
        if (attempt.number != end.attempt || attempt.outcome) continue;
        attempt.outcome = end.outcome;
        attempt.ended_at = at;
        if (!end.instance.empty()) attempt.instance = end.instance;
        if (!attempt.started_at) attempt.started_at = end.started_at;
        attempt.http_status = end.http_status;
        attempt.exit_code = end.exit_code;
        attempt.signal = end.signal;
        attempt.usage = end.usage;
        attempt.reason = end.reason;
        attempt.message = end.message;
        if (!end.trace.empty()) attempt.trace = end.trace;
        if (!invocation.started_at) invocation.started_at = attempt.started_at;
    }
}

void apply_to(const AttemptEndedRecord& record, Invocation& invocation) {
    invocation.phase = Phase::none;
    invocation.suspect = false;
    invocation.progress.reset();  // of a run under way; the view would not know it either
    invocation.route_tries = 0;
    invocation.stop = Stop{};
    invocation.due_at = record.due_at;
    end_attempt(record.end, record.change.at, invocation);
}

void apply_to(const TerminalRecord& record, Invocation& invocation) {
    invocation.phase = Phase::none;
    invocation.suspect = false;
    invocation.ended_at = record.change.at;
    invocation.due_at.reset();
    if (record.end) end_attempt(*record.end, record.change.at, invocation);
    if (record.stop) invocation.stop = *record.stop;
    invocation.result = record.result;
    invocation.failure = record.failure;
}

void apply_to(const PatchedRecord& record, Invocation& invocation) {
    invocation.options.priority = record.priority;
    invocation.options.not_before = record.not_before;
    invocation.options.labels = record.labels;
    invocation.deadline = record.deadline;
    invocation.deadline_is_explicit = record.deadline_is_explicit;
    if (record.deadline_is_explicit) invocation.options.deadline = record.deadline;
    invocation.queue_ttl_at = record.queue_ttl_at;
    invocation.due_at = record.due_at;
}

template <class T>
constexpr bool kHasChange = requires(const T& record) {
    record.change;
};

}  // namespace

const Change* change_of(const Record& record) {
    return std::visit(
        [](const auto& value) -> const Change* {
            if constexpr (kHasChange<std::decay_t<decltype(value)>>)
                return &value.change;
            else
                return nullptr;
        },
        record);
}

const InvocationId* invocation_of(const Record& record) {
    if (const Change* change = change_of(record)) return &change->id;
    if (const auto* accepted = std::get_if<AcceptedRecord>(&record))
        return &accepted->invocation.id;
    if (const auto* purged = std::get_if<PurgedRecord>(&record)) return &purged->id;
    return nullptr;
}

bool apply(const Record& record, Invocation& invocation) {
    const Change* change = change_of(record);
    LH_ASSERT(change != nullptr);
    LH_ASSERT(change->id == invocation.id);
    if (change->revision <= invocation.revision) return false;
    invocation.revision = change->revision;
    invocation.state = change->state;
    invocation.status_version = 0;  // counts within a revision
    std::visit(
        [&invocation](const auto& value) {
            if constexpr (kHasChange<std::decay_t<decltype(value)>>) apply_to(value, invocation);
        },
        record);
    return true;
}

}  // namespace longhaul
