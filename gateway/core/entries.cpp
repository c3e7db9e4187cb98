// Places, slots and timers: what an invocation occupies in each state.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

// Of what holds a slot.
bool counts_in_queue(State state) {
    return state != State::stopping || !mutant(Mutant::stop_frees_slot);
}

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits, std::uint64_t token_seed)
    : limits_(limits),
      run_limits_(limits.run),
      token_state_(token_seed),
      hosts_(limits.hosts),
      leases_(limits.leases_max) {}

Entry* Scheduler::find_entry(const InvocationId& id) {
    Seat* seat = entries_.find(id);
    return seat ? &entries_.whole(*seat) : nullptr;
}

const Entry* Scheduler::find_whole(const InvocationId& id) const {
    const Seat* seat = entries_.find(id);
    return seat ? seat->whole.get() : nullptr;
}

// The entry, if `attempt` is its current one and neither ended nor fenced.
Entry* Scheduler::find_attempt(const InvocationId& id, AttemptNumber attempt) {
    const Seat* seat = entries_.find(id);
    Entry* entry = seat ? seat->whole.get() : nullptr;
    if (!entry) return nullptr;
    if (!holds_slot(entry->invocation.state) &&
        !(is_terminal(entry->invocation.state) && entry->invocation.current() &&
          mutant(Mutant::late_report_counts)))
        return nullptr;
    const Attempt* current = entry->invocation.current();
    LH_ASSERT(current != nullptr);
    return current->number == attempt && !current->fenced ? entry : nullptr;
}

FunctionQueue& Scheduler::queue_of(const Invocation& invocation) {
    const FunctionKey key{invocation.tenant, invocation.function->name};
    auto [found, is_new] = functions_.try_emplace(key);
    if (is_new) {
        found->second.tenant = key.first;
        found->second.name = key.second;
        fair_.join(found->second, key.first);
        set_limits(found->second);
    }
    return found->second;
}

Change Scheduler::change(const Entry& entry, TimePoint now, State state) const {
    return Change{entry.invocation.id, entry.invocation.revision + 1, now, state};
}

// The one way in which a known invocation changes: leave the old place, apply, enter the new one.
void Scheduler::commit(Entry& entry, Record record, Outcome& out) {
    const Change* what = change_of(record);
    LH_ASSERT(what != nullptr);
    // The slot of an attempt that goes on is not given back in between.
    const bool keeps_slot = holds_slot(entry.invocation.state) && holds_slot(what->state) &&
                            counts_in_queue(what->state);
    if (!keeps_slot) leave(entry);
    const bool applied = longhaul::apply(record, entry.invocation);
    LH_ASSERT(applied);
    // Not what->at: a host reports starts of long ago, and places count time from now.
    if (keeps_slot)
        arm(entry);
    else
        place(last_now_, entry);
    out.records.push_back(std::move(record));
}

void Scheduler::leave(Entry& entry) {
    const Invocation& invocation = entry.invocation;
    LH_ASSERT(!is_terminal(invocation.state));
    FunctionQueue& queue = queue_of(invocation);
    if (invocation.state == State::queued) {
        dequeue(entry);
    } else if (waits_for_time(invocation.state)) {
        count_timed(invocation, false);
    } else if (holds_slot(invocation.state)) {
        const Attempt& attempt = *invocation.current();
        hosts_.release(attempt.host, invocation.id, attempt.number, *invocation.function);
        if (counts_in_queue(invocation.state))
            fair_.release(queue, invocation.options.concurrency_key);
        --running_;
    }
    --queue.live;
    --live_;
}

void Scheduler::place(TimePoint now, Entry& entry) {
    const Invocation& invocation = entry.invocation;
    if (is_terminal(invocation.state)) {
        deadlines_.clear(entry.seat);
        return;
    }
    FunctionQueue& queue = queue_of(invocation);
    ++queue.live;
    ++live_;
    if (invocation.state == State::queued) {
        if (entry.seat.ticket == 0) entry.seat.ticket = next_ticket_++;
        enqueue(entry);
    } else if (waits_for_time(invocation.state)) {
        count_timed(invocation, true);
    } else if (holds_slot(invocation.state)) {
        const Attempt& attempt = *invocation.current();
        hosts_.assign(now, attempt.host, attempt.host_address, invocation.id, attempt.number,
                      *invocation.function);
        if (counts_in_queue(invocation.state))
            fair_.hold(queue, invocation.options.concurrency_key);
        ++running_;
    }
    arm(entry);
}

std::optional<TimePoint> Scheduler::due_at(const Invocation& invocation) const {
    switch (invocation.state) {
    case State::scheduled:
    case State::retrying:
        return std::min(invocation.deadline, invocation.due_at.value_or(invocation.deadline));
    case State::queued:
        // The queue TTL is for the first start: what is tried again had its turn.
        return invocation.started_at || invocation.tries() > 0 ? invocation.deadline
               : mutant(Mutant::queue_ttl_ignored)
                   ? invocation.deadline
                   : std::min(invocation.deadline, invocation.queue_ttl_at);
    case State::dispatching: return invocation.deadline;
    case State::running: {
        const TimePoint started =
            invocation.current()->started_at.value_or(invocation.current()->dispatched_at);
        return std::min(invocation.deadline, started + invocation.timeout() +
                                                 invocation.function->timeout_grace +
                                                 limits_.timeout_margin);
    }
    case State::stopping:
        // Only the deadline can still raise the cause of a timeout's stop.
        if (invocation.stop.cause < StopCause::deadline) return invocation.deadline;
        return std::nullopt;
    default: return std::nullopt;
    }
}

void Scheduler::arm(Entry& entry) {
    if (const auto due = due_at(entry.invocation))
        deadlines_.set(entry.seat, *due);
    else
        deadlines_.clear(entry.seat);
}

void Scheduler::changed(Entry& entry, Outcome& out) {
    ++entry.invocation.status_version;
    out.effects.push_back(ChangedEffect{entry.invocation.id});
}

Token Scheduler::next_token() {
    // splitmix64: an identity, not a secret.
    const auto draw = [this] {
        std::uint64_t z = (token_state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    };
    const std::uint64_t high = draw();
    const std::uint64_t low = draw();
    return Token{hex(high, low)};
}

std::string Scheduler::host_address(const HostId& id, const std::string& recorded) const {
    const Host* host = hosts_.find(id);
    return host && host->known ? host->news.address : recorded;
}

void Scheduler::forget(const InvocationId& id) {
    Seat* seat = entries_.find(id);
    if (!seat || !seat->whole || !is_terminal(seat->whole->invocation.state)) return;
    const Invocation& invocation = seat->whole->invocation;
    const auto key = keys_.find(
        {invocation.tenant, invocation.function->name, invocation.options.idempotency_key});
    if (key != keys_.end() && key->second == id) keys_.erase(key);
    if (invocation.retry_of) {
        const auto retry = retries_.find(*invocation.retry_of);
        if (retry != retries_.end() && retry->second == id) retries_.erase(retry);
    }
    entries_.erase(*seat);
}

const Invocation* Scheduler::find(const InvocationId& id) const {
    const Seat* seat = entries_.find(id);
    return seat ? show(*seat) : nullptr;
}

const Invocation* Scheduler::show(const Seat& seat) const {
    if (seat.whole) return &seat.whole->invocation;
    shown_ = entries_.read(seat);
    return &shown_;
}

bool Scheduler::wants_start(const InvocationId& id, AttemptNumber attempt) const {
    const Entry* entry = find_whole(id);
    return entry && !entry->awaits_result() && entry->invocation.state == State::dispatching &&
           entry->invocation.current()->number == attempt;
}

bool Scheduler::wants_stop(const InvocationId& id, AttemptNumber attempt) const {
    const Entry* entry = find_whole(id);
    return entry && !entry->awaits_result() && entry->invocation.state == State::stopping &&
           entry->invocation.current()->number == attempt;
}

bool Scheduler::owes_fence(const HostId& id, const InvocationId& invocation,
                           AttemptNumber attempt) const {
    const Host* host = hosts_.find(id);
    return host && host->known && !host->suspect && host->fences.contains({invocation, attempt});
}

const FunctionQueue* Scheduler::function(const TenantName& tenant, const FunctionName& name) const {
    const auto found = functions_.find({tenant, name});
    return found == functions_.end() || !found->second.current ? nullptr : &found->second;
}

std::optional<InvocationId> Scheduler::find_key(const TenantName& tenant,
                                                const FunctionName& function_name,
                                                const std::string& key) const {
    const auto found = keys_.find({tenant, function_name, key});
    if (found == keys_.end()) return std::nullopt;
    return found->second;
}

void Scheduler::for_each(const std::function<void(const Invocation&)>& each) const {
    entries_.for_each([this, &each](const Seat& seat) {
        if (seat.whole)
            each(seat.whole->invocation);
        else
            each(entries_.read(seat));
    });
}

void Scheduler::check_entry(const Entry& entry) const {
    const Invocation& invocation = entry.invocation;
    LH_ASSERT(entries_.find(invocation.id) == &entry.seat);
    std::size_t unended = 0;
    for (const Attempt& attempt : invocation.attempts)
        if (!attempt.outcome && !attempt.fenced) ++unended;
    LH_ASSERT(unended == (holds_slot(invocation.state) ? 1U : 0U));
    if (is_terminal(invocation.state)) return;
    const bool waits = invocation.state == State::queued;
    LH_ASSERT((entry.seat.line != nullptr || entry.backs_off()) == waits);
    LH_ASSERT(entry.seat.line == nullptr || !entry.backs_off());
    if (!holds_slot(invocation.state)) return;
    const Host* host = hosts_.find(invocation.current()->host);
    LH_ASSERT(host != nullptr);
    LH_ASSERT(host->attempts.contains({invocation.id, invocation.current()->number}));
}

void Scheduler::check_invariants() const {
    std::size_t live = 0;
    std::size_t running = 0;
    std::size_t waiting = 0;
    std::size_t apart = 0;
    entries_.for_each([&](const Seat& seat) {
        if (seat.whole) check_entry(*seat.whole);
        const State state = entries_.state(seat);
        if (is_terminal(state)) return;
        ++live;
        if (state == State::queued) ++waiting;
        if (holds_slot(state)) ++running;
        if (seat.whole && seat.whole->backs_off()) ++apart;
        if (!seat.whole) LH_ASSERT((seat.line != nullptr) == (state == State::queued));
    });
    hosts_.check_invariants();
    LH_ASSERT(live == live_);
    LH_ASSERT(running == running_);
    LH_ASSERT(waiting == waiting_);
    LH_ASSERT(apart == backing_off_.size());
    check_queues();
}

}  // namespace longhaul::gateway
