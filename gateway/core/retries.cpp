// What is tried again, and when: the policy of the function and its budget.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/mutant.hpp"
#include "longhaul/base/text.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr double kFirstAttemptsKept = 1000;  // what a quiet time can save up
constexpr std::size_t kMessageMax = 256;     // bytes kept of why an attempt failed

double capacity_of(const RetrySpec& retry) {
    return retry.budget_per_minute + retry.budget_ratio * kFirstAttemptsKept;
}

}  // namespace

void RetryBudget::earn(const RetrySpec& retry) {
    earned_ = std::min(earned_ + retry.budget_ratio, capacity_of(retry));
}

bool RetryBudget::spend(TimePoint now, const RetrySpec& retry) {
    if (retry.budget_ratio <= 0 && retry.budget_per_minute == 0) return true;
    const double minutes =
        filled_at_ ? std::chrono::duration<double, std::ratio<60>>(now - *filled_at_).count() : 1;
    filled_at_ = now;
    earned_ = std::min(earned_ + minutes * retry.budget_per_minute, capacity_of(retry));
    if (earned_ < 1) return false;
    earned_ -= 1;
    return true;
}

// A retry that could not begin before the deadline is none.
Scheduler::Verdict Scheduler::judge(TimePoint now, const Entry& entry, Trigger trigger,
                                    FailureReason reason, const HostWords& words) {
    const Invocation& invocation = entry.invocation;
    const RetrySpec retry = invocation.retry();
    const Duration wait =
        backoff_after(retry, invocation.id, invocation.tries(), words.retry_after);
    TransitionFacts facts;
    facts.stop_cause = invocation.stop.cause;
    facts.sigkill_sent = words.sigkill_sent;
    facts.retry_on_lost = has(retry.on, FailureReason::lost) || mutant(Mutant::lost_run_once_more);
    const bool is_left =
        invocation.tries() < retry.max_attempts || mutant(Mutant::tries_not_counted);
    const bool is_wanted =
        reason == FailureReason::lost ? facts.retry_on_lost : has(retry.on, reason);
    facts.tries_left = is_wanted && is_left && now + wait < invocation.deadline;
    Verdict verdict;
    verdict.next = transition(invocation.state, trigger, facts);
    if (verdict.next != State::retrying) return verdict;
    if (queue_of(invocation).retries.spend(now, retry)) {
        verdict.due_at = mutant(Mutant::backoff_ignored) ? now : now + wait;
        return verdict;
    }
    facts.tries_left = false;
    verdict.next = transition(invocation.state, trigger, facts);
    verdict.is_out_of_budget = true;
    return verdict;
}

// The attempt ends, the invocation does not: its result and its words are of no further use, but
// for a line of why.
void Scheduler::retry_later(TimePoint now, Entry& entry, AttemptEnd end, FailureReason reason,
                            const std::string& message, TimePoint due_at, Outcome& out) {
    entry.drop_report();
    AttemptEndedRecord record;
    record.change = change(entry, now, State::retrying);
    record.end = std::move(end);
    record.end.reason = reason;
    record.end.message = to_utf8(message, kMessageMax);
    record.due_at = due_at;
    commit(entry, std::move(record), out);
}

}  // namespace longhaul::gateway
