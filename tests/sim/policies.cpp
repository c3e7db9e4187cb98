#include "tests/sim/policies.hpp"

#include "tests/sim/clients.hpp"

#include <cstdlib>

namespace longhaul::sim {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kAttempts = 3;

}  // namespace

const char* tried_again(std::uint64_t number) {
    return number % 6 == 1 ? kAgain : number % 6 == 4 ? kAgainUnlessLost : nullptr;
}

RetrySpec retry_of(std::string_view function) {
    RetrySpec retry;
    if (function != kAgain && function != kAgainUnlessLost) return retry;
    retry.max_attempts = kAttempts;
    retry.backoff = seconds(2);
    retry.on = function == kAgain ? kRetryableReasons : kOwnReasons;
    retry.budget_ratio = 0;
    retry.budget_per_minute = 0;  // no bound
    return retry;
}

SubmitOptions with_policies(SubmitOptions options, std::uint64_t number, TimePoint now) {
    if (number % 9 == 0) options.not_before = now + seconds(1 + number % 20);
    return options;
}

std::uint32_t starts_max(const std::string& body) {
    return tried_again(std::strtoull(body.c_str() + 1, nullptr, 10)) ? kAttempts : 1;
}

gateway::PatchRequest change_of_mind(test::SeededRandom& random, const InvocationId& id,
                                     TimePoint now) {
    gateway::PatchRequest change;
    change.id = id;
    switch (random.below(4)) {
    case 0: change.priority = static_cast<std::uint8_t>(random.below(kPriorityLast + 1)); break;
    case 1: change.deadline = now + seconds(30) + random.up_to(seconds(60)); break;
    case 2: change.labels = {{"changed", std::to_string(random.below(100))}}; break;
    default:
        change.sets_not_before = true;
        if (random.chance(0.5)) change.not_before = now + random.up_to(seconds(20));
    }
    return change;
}

boost::asio::awaitable<void> Clients::patch(gateway::Gateway& gateway,
                                            gateway::PatchRequest request) {
    const InvocationId id = request.id;
    request.tenant = tenant_of(id);
    auto answer = co_await gateway.patch_invocation(std::move(request));
    if (answer) {
        notebook_.trace("client: change of " + id.text);
        notebook_.saw("changes of mind");
        witness_.shown(answer->invocation);
        notebook_.read(answer->invocation);
    } else if (answer.error().code != Errc::conflict &&
               answer.error().code != Errc::invalid_argument) {
        take(id, answer);
    }
}

void Witness::check_retry(const Invocation& before, const AttemptEndedRecord& record) {
    const RunKey key{before.id, record.end.attempt};
    const RetrySpec retry = before.retry();
    const bool is_lost = record.end.outcome == AttemptOutcome::lost;
    if (before.stop.cause >= StopCause::deadline)
        wrong("retry", key, "tried again after a stop that somebody asked for");
    if (before.tries() >= retry.max_attempts) wrong("retry", key, "tried again once too often");
    if (is_lost && !has(retry.on, FailureReason::lost))
        wrong("I3", key, "a lost run is run again without having been asked for");
    if (!record.due_at) return wrong("I6", key, "retrying, and never due");
    const auto least = std::chrono::duration_cast<Duration>(retry.backoff * (1 - retry.jitter));
    if (*record.due_at < record.change.at + least)
        wrong("retry", key, "tried again before its backoff is over");
    if (*record.due_at >= before.deadline) wrong("I6", key, "to be tried after its deadline");
    if (!live_) return;
    notebook_.saw("retries");
    if (is_lost) {
        notebook_.saw("retries of lost runs");
        check_lost(before, record.end.attempt, record.end.message);
    } else if (notebook_.truth(key) == AttemptOutcome::succeeded) {
        wrong("I4", key, "tried again, though its run succeeded");
    }
}

// Whoever waits for a time gets in line when it has come.
void Witness::check_in_line(const Invocation& before, const RequeuedRecord& record) {
    if (!waits_for_time(before.state)) return;
    if (live_ && before.state == State::scheduled) notebook_.saw("scheduled ones that began");
    if (!before.due_at || record.change.at < *before.due_at)
        wrong("I6", {before.id, 0}, "in line before its time");
}

}  // namespace longhaul::sim
