// What a World holds against the gateway from time to time, and at the end.
#include "tests/sim/world.hpp"

namespace longhaul::sim {
namespace {

constexpr Duration kTimersTake = std::chrono::seconds(5);
// So long an announcement of before a drain may come after that of the drain.
constexpr Duration kOvertaken = std::chrono::seconds(4);

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

// Where a host was known to drain at two looks, nothing was sent to it in between, once what it
// said before can overtake that no more.
void World::check_drains(const gateway::Scheduler& scheduler) {
    for (const auto& host : hosts_) {
        const HostId id{host->name()};
        const gateway::Host* known = scheduler.hosts().find(id);
        if (!known || !known->news.draining) {
            seen_drains_.erase(id);
            continue;
        }
        const SeenDrain now{lives_.size(), host->drains(), clock_.now(), clock_.now()};
        SeenDrain& before = seen_drains_.emplace(id, now).first->second;
        if (before.life != now.life || before.turn != now.turn) before = now;
        const TimePoint from = std::max(before.at, before.since + kOvertaken);
        for (const TimePoint at : witness_.dispatches(id))
            if (at > from)
                notebook_.violation("drain", "work was sent to " + id.text + ", which drains");
        before.at = now.at;
    }
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
