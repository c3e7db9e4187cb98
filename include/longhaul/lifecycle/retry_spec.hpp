// What a function wants tried again, how often, and after which waits (PROTOCOL.md, 5).
//
// Pure values. A wait follows from the policy, the invocation's id and the number of its tries
// alone, so that nothing has to be drawn, and a replay gives the same.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/state.hpp"

#include <cstdint>

namespace longhaul {

// A set of reasons: bit n is the reason of number n.
using ReasonSet = std::uint32_t;

[[nodiscard]] constexpr ReasonSet set_of(FailureReason reason) {
    return ReasonSet{1} << static_cast<unsigned>(reason);
}
[[nodiscard]] constexpr bool has(ReasonSet reasons, FailureReason reason) {
    return (reasons & set_of(reason)) != 0;
}

// What the function itself, or its time limit, brought about.
inline constexpr ReasonSet kOwnReasons =
    set_of(FailureReason::error) | set_of(FailureReason::exit) | set_of(FailureReason::signal) |
    set_of(FailureReason::oom) | set_of(FailureReason::load) | set_of(FailureReason::timeout);
// All that can be tried again. Of a loss one must ask: a long run is not silently run twice.
inline constexpr ReasonSet kRetryableReasons = kOwnReasons | set_of(FailureReason::lost);

inline constexpr std::uint32_t kAttemptsMax = 100;

struct RetrySpec {
    std::uint32_t max_attempts = 1;                  // with the first; 1 … 100
    Duration backoff = std::chrono::seconds(1);      // before the second
    Duration backoff_max = std::chrono::minutes(5);  // what the wait grows to
    double multiplier = 2;                           // of each further wait; 1 … 10
    double jitter = 0.2;                             // part of a wait left to chance; 0 … 1
    ReasonSet on = kOwnReasons;

    // Retries of all invocations of the function together: as many as `budget_ratio` of its first
    // attempts, and `budget_per_minute` more. Both 0: no bound.
    double budget_ratio = 0.2;             // 0 … 10
    std::uint32_t budget_per_minute = 10;  // 0 … 1,000,000

    friend bool operator==(const RetrySpec&, const RetrySpec&) = default;
};

// The wait after `tries` counted attempts, at least `floor` where somebody asked for that. At most
// backoff_max, but for the floor.
[[nodiscard]] Duration backoff_after(const RetrySpec& retry, const InvocationId& id,
                                     std::uint32_t tries, Duration floor = Duration::zero());

// All waits between `attempts` attempts together, at their longest.
[[nodiscard]] Duration backoffs_together(const RetrySpec& retry, std::uint32_t attempts);

}  // namespace longhaul
