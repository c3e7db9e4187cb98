// The one state machine of an invocation, and its one door.
//
//   (new) --accepted--> scheduled | queued            with a free slot: at once dispatching
//
//   scheduled   --not_before_reached-----------> queued
//   queued      --slot_granted-----------------> dispatching
//   dispatching --start_confirmed--------------> running
//   dispatching --not_started------------------> queued            keeps its place
//   dispatching --route_exhausted--------------> failed(route)
//   dispatching --load_failed------------------> retrying | failed(load)
//   dispatching --function_succeeded, …--------> as from running: the start was never seen
//   running     --function_succeeded-----------> succeeded
//   running     --function_failed--------------> retrying | failed
//   running     --agent_timed_out--------------> retrying | timed_out
//   dispatching,
//   running     --attempt_lost-----------------> retrying (if the policy says so) | failed(lost)
//   retrying    --backoff_over-----------------> queued
//   scheduled, queued, retrying --cancel, kill-> cancelled | killed is never reached: nothing runs
//   scheduled, queued, retrying --deadline-----> expired
//   queued, never started       --queue_ttl----> expired
//   dispatching, running        --cancel, kill, timeout, deadline--> stopping
//   stopping    --cancel, kill, … of a higher cause--> stopping    the cause rises
//   stopping    --stop_confirmed---------------> cancelled, killed, timed_out, retrying: by cause
//   stopping    --function_succeeded, function_failed--> succeeded | failed: it ended by itself
//   stopping    --attempt_lost-----------------> as stop_confirmed, with Stop::confirmed false
//
// What may be relied on:
//   scheduled, queued, retrying: no unended, unfenced attempt exists. Nothing runs.
//   dispatching: one attempt is durable; it may or may not have reached its host.
//   running: its start was seen.     stopping: a stop intent is durable.
//   terminal: no event leaves it (I4).
// Nothing is retried after cancel, kill or deadline.
#pragma once

#include "longhaul/lifecycle/state.hpp"

#include <array>
#include <optional>

namespace longhaul {

enum class Trigger : std::uint8_t {
    not_before_reached,
    slot_granted,
    start_confirmed,
    not_started,
    route_exhausted,
    load_failed,
    function_succeeded,
    function_failed,
    agent_timed_out,
    attempt_lost,
    backoff_over,
    cancel,
    kill,
    timeout,
    deadline,
    queue_ttl,
    stop_confirmed,
};
inline constexpr int kTriggerCount = 17;

// What a transition may depend on, beside the state.
struct TransitionFacts {
    StopCause stop_cause = StopCause::none;  // of the stop intent in force
    bool sigkill_sent = false;
    bool tries_left = false;  // after this attempt, by the retry policy
    bool retry_on_lost = false;
    bool ever_started = false;  // some attempt was confirmed
};

// The state after `trigger`, or nothing where the event does not apply there (late, repeated or
// superseded): it changes nothing then. A result equal to `from` is a change all the same: a
// stop whose cause rises.
[[nodiscard]] std::optional<State> transition(State from, Trigger trigger,
                                              const TransitionFacts& facts);

[[nodiscard]] std::string_view to_string(Trigger value);

}  // namespace longhaul
