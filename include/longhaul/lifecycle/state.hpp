// The words of the lifecycle: states, causes, reasons, outcomes. What leads from one state to the
// next is in transition.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace longhaul {

// Numbers are journalled and indexed: do not change.
enum class State : std::uint8_t {
    scheduled = 1,
    queued = 2,
    dispatching = 3,
    running = 4,
    retrying = 5,
    stopping = 6,
    succeeded = 7,
    failed = 8,
    timed_out = 9,
    cancelled = 10,
    killed = 11,
    expired = 12,
};
inline constexpr int kStateCount = 12;

[[nodiscard]] constexpr bool is_terminal(State state) { return state >= State::succeeded; }
// An attempt exists that is neither ended nor fenced: the invocation holds its slots.
[[nodiscard]] constexpr bool holds_slot(State state) {
    return state == State::dispatching || state == State::running || state == State::stopping;
}

// No slot and no place in line: it waits for a time.
[[nodiscard]] constexpr bool waits_for_time(State state) {
    return state == State::scheduled || state == State::retrying;
}

// Causes only rise.
enum class StopCause : std::uint8_t { none = 0, timeout = 1, deadline = 2, cancel = 3, kill = 4 };

enum class FailureReason : std::uint8_t {
    error = 1,  // the handler raised, or the answer was no success
    exit = 2,   // exit code other than 0
    signal = 3,
    oom = 4,
    load = 5,  // the user's own code could not be loaded
    timeout = 6,
    deadline = 7,
    route = 8,  // no host could start it
    lost = 9,
    result_lost = 10,
    result_too_large = 11,
    function_gone = 12,
    queue_ttl = 13,
};

enum class Fault : std::uint8_t { function = 1, platform = 2, caller = 3 };

enum class AttemptOutcome : std::uint8_t {
    succeeded = 1,
    failed = 2,
    timed_out = 3,
    cancelled = 4,
    killed = 5,
    lost = 6,
    route_error = 7,
};

// Why a live invocation waits; derived, never stored.
enum class WaitReason : std::uint8_t {
    none = 0,
    function_limit,
    tenant_limit,
    global_limit,
    key_limit,
    no_capacity,
    backoff,
    not_before,
    paused,
};

// What a dispatching attempt is doing; derived, never stored.
enum class Phase : std::uint8_t { none = 0, acquiring_route, fetching_code, loading, connecting };

[[nodiscard]] Fault fault_of(FailureReason reason);

[[nodiscard]] std::string_view to_string(State value);
[[nodiscard]] std::string_view to_string(StopCause value);
[[nodiscard]] std::string_view to_string(FailureReason value);
[[nodiscard]] std::string_view to_string(Fault value);
[[nodiscard]] std::string_view to_string(AttemptOutcome value);
[[nodiscard]] std::string_view to_string(WaitReason value);
[[nodiscard]] std::string_view to_string(Phase value);
[[nodiscard]] std::optional<State> state_from(std::string_view text);
[[nodiscard]] std::optional<StopCause> stop_cause_from(std::string_view text);
[[nodiscard]] std::optional<FailureReason> failure_reason_from(std::string_view text);
[[nodiscard]] std::optional<AttemptOutcome> attempt_outcome_from(std::string_view text);

}  // namespace longhaul
