#include "longhaul/lifecycle/transition.hpp"

#include "longhaul/base/mutant.hpp"

namespace longhaul {
namespace {

using Next = std::optional<State>;

State retry_or(State final_state, bool may_retry) {
    return may_retry ? State::retrying : final_state;
}

Next from_waiting(State from, Trigger trigger, const TransitionFacts& facts) {
    switch (trigger) {
    case Trigger::not_before_reached:
        return from == State::scheduled ? Next(State::queued) : std::nullopt;
    case Trigger::backoff_over: return from == State::retrying ? Next(State::queued) : std::nullopt;
    case Trigger::slot_granted:
        return from == State::queued ? Next(State::dispatching) : std::nullopt;
    case Trigger::cancel:
    case Trigger::kill: return State::cancelled;  // nothing runs, so nothing is killed
    case Trigger::deadline: return State::expired;
    case Trigger::queue_ttl:
        return from == State::queued && !facts.ever_started ? Next(State::expired) : std::nullopt;
    default: return std::nullopt;
    }
}

Next from_active(State from, Trigger trigger, const TransitionFacts& facts) {
    const bool dispatching = from == State::dispatching;
    switch (trigger) {
    case Trigger::start_confirmed: return dispatching ? Next(State::running) : std::nullopt;
    case Trigger::not_started: return dispatching ? Next(State::queued) : std::nullopt;
    case Trigger::route_exhausted: return dispatching ? Next(State::failed) : std::nullopt;
    case Trigger::load_failed:
        return dispatching ? Next(retry_or(State::failed, facts.tries_left)) : std::nullopt;
    case Trigger::function_succeeded: return State::succeeded;
    case Trigger::function_failed: return retry_or(State::failed, facts.tries_left);
    case Trigger::agent_timed_out: return retry_or(State::timed_out, facts.tries_left);
    case Trigger::attempt_lost:
        return retry_or(State::failed, facts.tries_left && facts.retry_on_lost);
    case Trigger::cancel:
    case Trigger::kill:
    case Trigger::timeout:
    case Trigger::deadline: return State::stopping;
    default: return std::nullopt;
    }
}

StopCause cause_of(Trigger trigger) {
    switch (trigger) {
    case Trigger::timeout: return StopCause::timeout;
    case Trigger::deadline: return StopCause::deadline;
    case Trigger::cancel: return StopCause::cancel;
    case Trigger::kill: return StopCause::kill;
    default: return StopCause::none;
    }
}

State stopped(const TransitionFacts& facts, bool may_retry) {
    switch (facts.stop_cause) {
    case StopCause::kill: return State::killed;
    case StopCause::cancel:
        return facts.sigkill_sent && !mutant(Mutant::sigkill_forgotten) ? State::killed
                                                                        : State::cancelled;
    case StopCause::timeout: return retry_or(State::timed_out, may_retry);
    case StopCause::deadline:
    case StopCause::none: break;
    }
    return State::timed_out;
}

Next from_stopping(Trigger trigger, const TransitionFacts& facts) {
    switch (trigger) {
    case Trigger::function_succeeded: return State::succeeded;
    case Trigger::function_failed:
    case Trigger::load_failed: return State::failed;
    case Trigger::agent_timed_out:
        return facts.stop_cause <= StopCause::timeout ? stopped(facts, facts.tries_left)
                                                      : State::timed_out;
    case Trigger::not_started:
    case Trigger::stop_confirmed: return stopped(facts, facts.tries_left);
    case Trigger::attempt_lost: return stopped(facts, facts.tries_left && facts.retry_on_lost);
    case Trigger::cancel:
    case Trigger::kill:
    case Trigger::timeout:
    case Trigger::deadline:
        return cause_of(trigger) > facts.stop_cause || mutant(Mutant::cause_falls)
                   ? Next(State::stopping)
                   : std::nullopt;
    default: return std::nullopt;
    }
}

}  // namespace

std::optional<State> transition(State from, Trigger trigger, const TransitionFacts& facts) {
    switch (from) {
    case State::scheduled:
    case State::queued:
    case State::retrying: return from_waiting(from, trigger, facts);
    case State::dispatching:
    case State::running: return from_active(from, trigger, facts);
    case State::stopping: return from_stopping(trigger, facts);
    default: return std::nullopt;  // terminal (I4)
    }
}

}  // namespace longhaul
