// One invocation, as records build it and documents show it. A value: the core changes it through
// apply() (record.hpp) alone, so that live, recovery and view agree.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/function_spec.hpp"
#include "longhaul/lifecycle/state.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul {

// Stage name -> milliseconds, in order: queue route take fetch unpack load import first_byte.
using StageTrace = std::vector<std::pair<std::string, double>>;

struct Usage {
    double cpu_seconds = 0;
    std::uint64_t max_rss_bytes = 0;

    friend bool operator==(const Usage&, const Usage&) = default;
};

struct Progress {
    double percent = 0;  // 0 … 100
    std::string message{};
    TimePoint at{};

    friend bool operator==(const Progress&, const Progress&) = default;
};

// A body or a result: small bytes ride in the record, larger ones are a file in gateway/bodies.
struct Content {
    std::string content_type{};  // "" = none given
    std::string inline_bytes{};
    std::string file{};  // name in the body store; "" = inline
    std::uint64_t size = 0;
    std::string sha256{};  // 64 hex digits

    friend bool operator==(const Content&, const Content&) = default;
};

struct Attempt {
    AttemptNumber number = 0;
    Token token{};
    HostId host{};
    std::string host_address{};
    InstanceId instance{};
    TimePoint dispatched_at{};
    std::optional<TimePoint> started_at{};
    std::optional<TimePoint> ended_at{};
    bool fenced = false;
    std::optional<AttemptOutcome> outcome{};
    std::optional<int> http_status{};
    std::optional<int> exit_code{};
    std::optional<int> signal{};
    Usage usage{};
    StageTrace trace{};
    std::optional<FailureReason> reason{};  // of an attempt that was tried again
    std::string message{};                  // its words, cut

    friend bool operator==(const Attempt&, const Attempt&) = default;
};

struct Stop {
    StopCause cause = StopCause::none;
    std::string by{};      // who asked: "api", "timeout", "deadline"
    std::string reason{};  // their words
    Duration grace{};
    TimePoint at{};
    bool sigkill_sent = false;
    bool confirmed = false;  // the process tree is gone (I10)

    friend bool operator==(const Stop&, const Stop&) = default;
};

struct Failure {
    FailureReason reason = FailureReason::error;
    Fault fault = Fault::function;
    std::string message{};
    std::string type{};  // the function's own: "ValueError"
    std::optional<int> exit_code{};
    std::optional<int> signal{};
    std::string evidence{};

    friend bool operator==(const Failure&, const Failure&) = default;
};

inline constexpr std::uint8_t kPriorityLast = 7;  // 0 is the most urgent (RFC 9218)

// What the caller asked for, beside the body.
struct SubmitOptions {
    std::optional<Duration> timeout{};  // lowers the function's
    std::optional<Duration> queue_ttl{};
    std::optional<TimePoint> deadline{};
    std::vector<std::pair<std::string, std::string>> labels{};
    std::string traceparent{};
    std::vector<std::pair<std::string, std::string>> headers{};  // the caller's, for the function
    std::string idempotency_key{};                               // "" = none
    std::string concurrency_key{};  // "" = none; runs of one key are limited by the function
    std::uint8_t priority = 3;      // 0 … kPriorityLast
    std::optional<TimePoint> not_before{};
    std::optional<std::uint32_t> retry_max_attempts{};  // instead of the function's
    std::optional<Duration> retry_backoff{};
    std::string fingerprint{};  // function, content type, body digest, options: sha256 hex

    friend bool operator==(const SubmitOptions&, const SubmitOptions&) = default;
};

struct Invocation {
    // Constant after accepted.
    InvocationId id{};
    TenantName tenant{};
    std::shared_ptr<const FunctionSpec> function{};  // shared by all invocations of the version
    Content body{};
    SubmitOptions options{};
    TimePoint created_at{};
    TimePoint queue_ttl_at{};
    TimePoint deadline{};
    bool deadline_is_explicit = false;
    std::optional<InvocationId> retry_of{};

    // Changed by records.
    State state = State::queued;
    std::uint32_t revision = 1;  // +1 per record that readers see
    std::vector<Attempt> attempts{};
    std::uint32_t route_tries = 0;          // of the current attempt
    std::optional<TimePoint> due_at{};      // scheduled, retrying: when it gets in line; then: got
    std::optional<TimePoint> started_at{};  // of the first attempt that started
    std::optional<TimePoint> ended_at{};
    Stop stop{};
    std::optional<Content> result{};
    std::optional<Failure> failure{};

    // Relearned, never recorded: +1 per change within a revision. (revision, status_version) never
    // goes down for any reader; after a restart it goes on from a value above (begin()).
    std::uint64_t status_version = 0;
    std::optional<Progress> progress{};
    Phase phase = Phase::none;
    bool suspect = false;

    [[nodiscard]] Attempt* current() { return attempts.empty() ? nullptr : &attempts.back(); }
    [[nodiscard]] const Attempt* current() const {
        return attempts.empty() ? nullptr : &attempts.back();
    }
    // The execution limit in force: a caller may only lower the function's.
    [[nodiscard]] Duration timeout() const {
        return std::min(options.timeout.value_or(function->timeout), function->timeout);
    }
    // Since when it has, or will have, its place in line.
    [[nodiscard]] TimePoint in_line_since() const { return due_at.value_or(created_at); }
    // The function's policy, with what the caller wants otherwise.
    [[nodiscard]] RetrySpec retry() const {
        RetrySpec retry = function->retry;
        retry.max_attempts = options.retry_max_attempts.value_or(retry.max_attempts);
        retry.backoff = options.retry_backoff.value_or(retry.backoff);
        retry.backoff_max = std::max(retry.backoff, retry.backoff_max);
        return retry;
    }
    // Attempts that count: not those that certainly started nothing.
    [[nodiscard]] std::uint32_t tries() const {
        return static_cast<std::uint32_t>(std::ranges::count_if(attempts, [](const Attempt& one) {
            return one.outcome != AttemptOutcome::route_error;
        }));
    }
};

}  // namespace longhaul
