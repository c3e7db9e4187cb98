#include "longhaul/lifecycle/state.hpp"

#include "longhaul/lifecycle/transition.hpp"

#include <array>
#include <span>

namespace longhaul {
namespace {

using std::string_view;

constexpr std::array<string_view, 13> kStates{
    "",          "scheduled", "queued",    "dispatching", "running", "retrying", "stopping",
    "succeeded", "failed",    "timed_out", "cancelled",   "killed",  "expired"};
constexpr std::array<string_view, 5> kStopCauses{"none", "timeout", "deadline", "cancel", "kill"};
constexpr std::array<string_view, 14> kReasons{"",
                                               "error",
                                               "exit",
                                               "signal",
                                               "oom",
                                               "load",
                                               "timeout",
                                               "deadline",
                                               "route",
                                               "lost",
                                               "result_lost",
                                               "result_too_large",
                                               "function_gone",
                                               "queue_ttl"};
constexpr std::array<string_view, 4> kFaults{"", "function", "platform", "caller"};
constexpr std::array<string_view, 8> kOutcomes{"",          "succeeded", "failed", "timed_out",
                                               "cancelled", "killed",    "lost",   "route_error"};
constexpr std::array<string_view, 9> kWaitReasons{
    "",        "function_limit", "tenant_limit", "global_limit", "key_limit", "no_capacity",
    "backoff", "not_before",     "paused"};
constexpr std::array<string_view, 5> kPhases{"", "acquiring_route", "fetching_code", "loading",
                                             "connecting"};
constexpr std::array<string_view, kTriggerCount> kTriggers{"not_before_reached",
                                                           "slot_granted",
                                                           "start_confirmed",
                                                           "not_started",
                                                           "route_exhausted",
                                                           "load_failed",
                                                           "function_succeeded",
                                                           "function_failed",
                                                           "agent_timed_out",
                                                           "attempt_lost",
                                                           "backoff_over",
                                                           "cancel",
                                                           "kill",
                                                           "timeout",
                                                           "deadline",
                                                           "queue_ttl",
                                                           "stop_confirmed"};

template <class Enum>
std::optional<Enum> from_text(std::span<const string_view> names, string_view text,
                              std::size_t first) {
    for (std::size_t index = first; index < names.size(); ++index)
        if (names[index] == text) return static_cast<Enum>(index);
    return std::nullopt;
}

template <class Enum>
string_view name_of(std::span<const string_view> names, Enum value) {
    const auto index = static_cast<std::size_t>(value);
    return index < names.size() ? names[index] : string_view("unknown");
}

}  // namespace

Fault fault_of(FailureReason reason) {
    switch (reason) {
    case FailureReason::route:
    case FailureReason::lost:
    case FailureReason::result_lost: return Fault::platform;
    case FailureReason::deadline:
    case FailureReason::queue_ttl:
    case FailureReason::function_gone: return Fault::caller;
    case FailureReason::error:
    case FailureReason::exit:
    case FailureReason::signal:
    case FailureReason::oom:
    case FailureReason::load:
    case FailureReason::timeout:
    case FailureReason::result_too_large: break;
    }
    return Fault::function;
}

string_view to_string(State value) { return name_of(kStates, value); }
string_view to_string(StopCause value) { return name_of(kStopCauses, value); }
string_view to_string(FailureReason value) { return name_of(kReasons, value); }
string_view to_string(Fault value) { return name_of(kFaults, value); }
string_view to_string(AttemptOutcome value) { return name_of(kOutcomes, value); }
string_view to_string(WaitReason value) { return name_of(kWaitReasons, value); }
string_view to_string(Phase value) { return name_of(kPhases, value); }
string_view to_string(Trigger value) { return name_of(kTriggers, value); }

std::optional<State> state_from(string_view text) { return from_text<State>(kStates, text, 1); }
std::optional<StopCause> stop_cause_from(string_view text) {
    return from_text<StopCause>(kStopCauses, text, 0);
}
std::optional<FailureReason> failure_reason_from(string_view text) {
    return from_text<FailureReason>(kReasons, text, 1);
}
std::optional<AttemptOutcome> attempt_outcome_from(string_view text) {
    return from_text<AttemptOutcome>(kOutcomes, text, 1);
}

}  // namespace longhaul
