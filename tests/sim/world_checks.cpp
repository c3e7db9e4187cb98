// What a World holds against the gateway from time to time, and at the end.
#include "tests/sim/world.hpp"

namespace longhaul::sim {
namespace {

constexpr Duration kTimersTake = std::chrono::seconds(5);

}  // namespace

// I6, while it goes on: nothing waits beyond its clocks, no body of live work is gone.
void World::check_overdue(const gateway::Scheduler& scheduler) {
    const TimePoint before = clock_.now() - kTimersTake;
    const bool is_new = began_at_ > before;
    scheduler.for_each([this, before, is_new](const Invocation& invocation) {
        if (is_terminal(invocation.state)) return;
        const TimePoint due = std::min(invocation.deadline, invocation.queue_ttl_at);
        const bool is_late = invocation.state == State::queued && !invocation.started_at &&
                             invocation.tries() == 0 &&
                             std::max(due, witness_.queued_since(invocation.id)) < before;
        if (!is_new && is_late)
            notebook_.violation("I6", invocation.id.text + " waits beyond its clocks");
        if (!is_new && waits_for_time(invocation.state) && invocation.due_at < before)
            notebook_.violation("I6", invocation.id.text + " waits beyond its time");
        if (!invocation.body.file.empty() && !disk_.exists("data/bodies/" + invocation.body.file))
            notebook_.violation("I1", "the body of " + invocation.id.text + " is gone");
    });
}

void World::check_calm(TimePoint since) {
    const gateway::Scheduler& scheduler = lives_.back()->gateway().scheduler();
    for (const auto& host : hosts_) {
        if (!host->settled_since(since)) continue;
        for (const SimHost::Fact& fact : host->facts()) {
            const Invocation* known = scheduler.find(fact.key.first);
            if (!known || !holds_slot(known->state)) continue;
            if (known->current()->number != fact.key.second || known->current()->fenced) continue;
            const std::string name = fact.key.first.text + " on " + host->name();
            if (fact.ended_at && *fact.ended_at < since && !fact.result_is_remote)
                notebook_.violation("news", "nobody took in the end of " + name);
            if (fact.runs && known->state == State::stopping && known->stop.at < since &&
                fact.stop_cause < known->stop.cause)
                notebook_.violation("I10", "the stop was not told: " + name);
        }
    }
}

// Where digests are told: nothing else brings up an end whose acknowledgement was lost.
void World::check_acknowledged(TimePoint since) {
    for (const auto& host : hosts_)
        if (host->settled_since(since) && host->tells_digests())
            for (const SimHost::Fact& fact : host->facts())
                if (fact.ended_at && *fact.ended_at < since)
                    notebook_.violation("news", "the end of " + fact.key.first.text + " on " +
                                                    host->name() + " is not acknowledged");
}

void World::check_events() {
    if (!events_.wrong().empty()) notebook_.violation("events", events_.wrong());
    for (const auto& [id, told] : notebook_.told())
        if (events_.complete_to(id.text) != told.revision)
            notebook_.violation("events", id.text + " ended at revision " +
                                              std::to_string(told.revision) +
                                              ", its events are complete to " +
                                              std::to_string(events_.complete_to(id.text)));
    if (events_.taken().size() > notebook_.told().size()) notebook_.saw("events published");
}

}  // namespace longhaul::sim
