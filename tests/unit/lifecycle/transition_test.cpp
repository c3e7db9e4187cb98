// Guards I4 (terminal is left by nothing) and the drawing in transition.hpp, arrow by arrow.
//
// The expectation is a table of its own: whoever changes the state machine changes both.
#include "longhaul/lifecycle/transition.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace longhaul {
namespace {

using Facts = TransitionFacts;
using Next = std::optional<State>;

struct Arrow {
    std::vector<State> from;
    std::vector<Trigger> triggers;
    std::function<Next(const Facts&)> to;
};

std::function<Next(const Facts&)> always(State state) {
    return [state](const Facts&) { return Next(state); };
}

std::function<Next(const Facts&)> retry_else(State state) {
    return [state](const Facts& facts) { return Next(facts.tries_left ? State::retrying : state); };
}

Next ended_by_cause(const Facts& facts, bool may_retry) {
    if (facts.stop_cause == StopCause::kill) return State::killed;
    if (facts.stop_cause == StopCause::cancel)
        return facts.sigkill_sent ? State::killed : State::cancelled;
    if (facts.stop_cause == StopCause::timeout && may_retry) return State::retrying;
    return State::timed_out;
}

std::function<Next(const Facts&)> rises_above(StopCause limit) {
    return [limit](const Facts& facts) {
        return facts.stop_cause < limit ? Next(State::stopping) : Next();
    };
}

Next lost(const Facts& facts) {
    return facts.tries_left && facts.retry_on_lost ? State::retrying : State::failed;
}

const std::vector<Arrow>& drawing() {
    using enum State;
    using T = Trigger;
    static const std::vector<Arrow> kArrows{
        {{scheduled}, {T::not_before_reached}, always(queued)},
        {{queued}, {T::slot_granted}, always(dispatching)},
        {{queued},
         {T::queue_ttl},
         [](const Facts& facts) { return facts.ever_started ? Next() : Next(expired); }},
        {{retrying}, {T::backoff_over}, always(queued)},
        {{scheduled, queued, retrying}, {T::cancel, T::kill}, always(cancelled)},
        {{scheduled, queued, retrying}, {T::deadline}, always(expired)},
        {{dispatching}, {T::start_confirmed}, always(running)},
        {{dispatching}, {T::not_started}, always(queued)},
        {{dispatching}, {T::route_exhausted}, always(failed)},
        {{dispatching}, {T::load_failed}, retry_else(failed)},
        {{dispatching, running}, {T::function_succeeded}, always(succeeded)},
        {{dispatching, running}, {T::function_failed}, retry_else(failed)},
        {{dispatching, running}, {T::agent_timed_out}, retry_else(timed_out)},
        {{dispatching, running}, {T::attempt_lost}, lost},
        {{dispatching, running}, {T::cancel, T::kill, T::timeout, T::deadline}, always(stopping)},
        {{stopping}, {T::timeout}, rises_above(StopCause::timeout)},
        {{stopping}, {T::deadline}, rises_above(StopCause::deadline)},
        {{stopping}, {T::cancel}, rises_above(StopCause::cancel)},
        {{stopping}, {T::kill}, rises_above(StopCause::kill)},
        // It ended by itself, before its stop began.
        {{stopping}, {T::function_succeeded}, always(succeeded)},
        {{stopping}, {T::function_failed, T::load_failed}, always(failed)},
        {{stopping},
         {T::agent_timed_out},
         [](const Facts& facts) {
             const bool retries = facts.stop_cause == StopCause::timeout && facts.tries_left;
             return Next(retries ? retrying : timed_out);
         }},
        {{stopping},
         {T::stop_confirmed, T::not_started},
         [](const Facts& facts) { return ended_by_cause(facts, facts.tries_left); }},
        {{stopping},
         {T::attempt_lost},
         [](const Facts& facts) {
             return ended_by_cause(facts, facts.tries_left && facts.retry_on_lost);
         }},
    };
    return kArrows;
}

template <class T>
bool contains(const std::vector<T>& list, T value) {
    return std::ranges::find(list, value) != list.end();
}

Next expected(State from, Trigger trigger, const Facts& facts) {
    for (const Arrow& arrow : drawing())
        if (contains(arrow.from, from) && contains(arrow.triggers, trigger)) return arrow.to(facts);
    return std::nullopt;
}

void for_every_case(const std::function<void(State, Trigger, const Facts&)>& each) {
    for (int state = 1; state <= kStateCount; ++state)
        for (int trigger = 0; trigger < kTriggerCount; ++trigger)
            for (int cause = 0; cause <= 4; ++cause)
                for (int bits = 0; bits < 16; ++bits) {
                    Facts facts;
                    facts.stop_cause = static_cast<StopCause>(cause);
                    facts.sigkill_sent = (bits & 1) != 0;
                    facts.tries_left = (bits & 2) != 0;
                    facts.retry_on_lost = (bits & 4) != 0;
                    facts.ever_started = (bits & 8) != 0;
                    each(static_cast<State>(state), static_cast<Trigger>(trigger), facts);
                }
}

std::string text(State from, Trigger trigger, const Facts& facts) {
    return std::string(to_string(from)) + " --" + std::string(to_string(trigger)) +
           "--> stop_cause=" + std::string(to_string(facts.stop_cause)) +
           " sigkill=" + std::to_string(facts.sigkill_sent) +
           " tries_left=" + std::to_string(facts.tries_left) +
           " retry_on_lost=" + std::to_string(facts.retry_on_lost) +
           " ever_started=" + std::to_string(facts.ever_started);
}

std::string text(const Next& next) { return next ? std::string(to_string(*next)) : "nothing"; }

}  // namespace

TEST_CASE("every transition is as drawn, and what is not drawn does not happen") {
    int legal = 0;
    int all = 0;
    for_every_case([&](State from, Trigger trigger, const Facts& facts) {
        ++all;
        const Next is = transition(from, trigger, facts);
        const Next should = expected(from, trigger, facts);
        legal += should ? 1 : 0;
        if (is == should) return;
        INFO(text(from, trigger, facts));
        CHECK(text(is) == text(should));
    });
    CHECK(all == kStateCount * kTriggerCount * 5 * 16);
    CHECK(legal > 0);
}

TEST_CASE("a terminal state is left by no event") {
    for_every_case([&](State from, Trigger trigger, const Facts& facts) {
        if (!is_terminal(from) || !transition(from, trigger, facts)) return;
        FAIL(text(from, trigger, facts));
    });
}

TEST_CASE("nothing is retried after cancel, kill or deadline") {
    for_every_case([&](State from, Trigger trigger, const Facts& facts) {
        if (from != State::stopping || facts.stop_cause < StopCause::deadline) return;
        const Next next = transition(from, trigger, facts);
        if (!next || is_terminal(*next) || *next == State::stopping) return;
        FAIL(text(from, trigger, facts) << " gives " << text(next));
    });
}

TEST_CASE("the cause of a stop only rises") {
    const std::vector<std::pair<Trigger, StopCause>> asked{{Trigger::timeout, StopCause::timeout},
                                                           {Trigger::deadline, StopCause::deadline},
                                                           {Trigger::cancel, StopCause::cancel},
                                                           {Trigger::kill, StopCause::kill}};
    for (int cause = 0; cause <= 4; ++cause)
        for (const auto& [trigger, asked_cause] : asked) {
            Facts facts;
            facts.stop_cause = static_cast<StopCause>(cause);
            INFO(text(State::stopping, trigger, facts));
            CHECK(transition(State::stopping, trigger, facts).has_value() ==
                  (asked_cause > facts.stop_cause));
        }
}

TEST_CASE("every state but scheduled and queued can be reached from queued") {
    std::vector<State> reached{State::queued};
    for (std::size_t index = 0; index < reached.size(); ++index)
        for_every_case([&](State from, Trigger trigger, const Facts& facts) {
            if (from != reached[index]) return;
            const Next next = transition(from, trigger, facts);
            if (next && !contains(reached, *next)) reached.push_back(*next);
        });
    CHECK(reached.size() == kStateCount - 1);
    CHECK_FALSE(contains(reached, State::scheduled));
}

TEST_CASE("every live state has a way to a terminal one by time alone") {
    for (const State from : {State::scheduled, State::queued, State::retrying, State::dispatching,
                             State::running, State::stopping}) {
        Facts facts;
        facts.stop_cause = StopCause::timeout;
        INFO(to_string(from));
        CHECK(transition(from, Trigger::deadline, facts).has_value());
    }
}

}  // namespace longhaul
