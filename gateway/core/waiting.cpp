// Lines: who may join them, who is let out next, and what those that wait are told.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>
#include <limits>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kLookAgain = 32;  // of those that back off, when a host has room

struct QueueLimit {
    const char* scope;    // "function", "gateway"
    const char* setting;  // its name
    std::uint64_t limit;
};

Error queue_full(TimePoint now, const FunctionQueue& queue, const QueueLimit& what) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(queue.retry_after(now));
    Error error =
        make_error(Errc::overloaded,
                   "the queue of the " + std::string(what.scope) + " holds its limit of " +
                       std::to_string(what.limit) + " (" + what.setting + "); try again in " +
                       std::to_string(wait.count()) + " s",
                   "queue-full");
    error.limit = what.limit;
    error.scope = what.scope;
    error.retry_after_s = static_cast<std::uint32_t>(wait.count());
    return error;
}

Demand demand_of(const FunctionSpec& function) {
    return Demand{memory_mb_of_run(function), cpu_millis_of_run(function)};
}

}  // namespace

Result<void> Scheduler::has_room(TimePoint now, const FunctionQueue& queue,
                                 std::uint64_t bytes) const {
    const FunctionSpec& function = *queue.current;
    if (queue.waiting() >= function.max_queued)
        return queue_full(now, queue, {"function", "max_queued", function.max_queued});
    if (waiting_ + timed_ >= limits_.queued_max)
        return queue_full(now, queue, {"gateway", "limits.queued_max", limits_.queued_max});
    // An empty queue takes any event that body_max lets in.
    if (queue.waiting() > 0 && queue.waiting_bytes() + bytes > function.max_queued_bytes)
        return queue_full(now, queue, {"function", "max_queued_bytes", function.max_queued_bytes});
    if (waiting_ + timed_ > 0 && waiting_bytes_ + timed_bytes_ + bytes > limits_.queued_bytes_max)
        return queue_full(now, queue,
                          {"gateway", "limits.queued_bytes_max", limits_.queued_bytes_max});
    return {};
}

void Scheduler::set_limits(FunctionQueue& queue) {
    const std::uint32_t spare = mutant(Mutant::limit_off_by_one) ? 1 : 0;
    const std::uint32_t running_max = queue.current ? queue.current->max_running + spare
                                                    : std::numeric_limits<std::uint32_t>::max();
    const std::uint32_t key_max = queue.current ? queue.current->key_max_running : 0;
    fair_.set_limits(queue, running_max, key_max,
                     queue.paused && !mutant(Mutant::paused_queue_granted));
}

void Scheduler::enqueue(Entry& entry) {
    const Invocation& invocation = entry.invocation;
    const SubmitOptions& options = invocation.options;
    FunctionQueue& queue = queue_of(invocation);
    entry.seat.demand = demand_of(*invocation.function);
    fair_.insert(queue, entry.seat, options.priority, options.concurrency_key);
    ++queue.queued;
    queue.queued_bytes += invocation.body.size;
    ++queue.by_priority[options.priority];
    ++waiting_;
    waiting_bytes_ += invocation.body.size;
    queue.drain.waits(last_now_, true);
}

void Scheduler::dequeue(Entry& entry) {
    const Invocation& invocation = entry.invocation;
    FunctionQueue& queue = queue_of(invocation);
    if (entry.backs_off()) {
        end_backoff(queue, entry);
    } else {
        fair_.erase(queue, entry.seat);
    }
    --queue.queued;
    queue.queued_bytes -= invocation.body.size;
    --queue.by_priority[invocation.options.priority];
    --waiting_;
    waiting_bytes_ -= invocation.body.size;
    queue.drain.waits(last_now_, queue.queued > 0);
}

// It is scheduled or retrying: in no line, but it counts against the limits of its queue.
void Scheduler::count_timed(const Invocation& invocation, bool enters) {
    FunctionQueue& queue = queue_of(invocation);
    std::uint64_t& count = invocation.state == State::scheduled ? queue.scheduled : queue.retrying;
    const std::uint64_t bytes = invocation.body.size;
    if (enters) {
        ++count;
        ++timed_;
        queue.timed_bytes += bytes;
        timed_bytes_ += bytes;
    } else {
        --count;
        --timed_;
        queue.timed_bytes -= bytes;
        timed_bytes_ -= bytes;
    }
}

WaitReason Scheduler::limit_reached(const FunctionQueue& queue) const {
    if (queue.paused && !mutant(Mutant::paused_queue_granted)) return WaitReason::paused;
    if (queue.running >= queue.running_max) return WaitReason::function_limit;
    if (fair_.tenant_is_full(queue)) return WaitReason::tenant_limit;
    if (running_ >= run_limits_.global_max && !mutant(Mutant::global_limit_ignored))
        return WaitReason::global_limit;
    return WaitReason::none;
}

// Nobody has waited for this very slot.
bool Scheduler::may_start_at_once(const FunctionQueue& queue, const Invocation& invocation) const {
    return invocation.state == State::queued && !holding_ && !queue.lines.head() &&
           limit_reached(queue) == WaitReason::none &&
           !queue.lines.key_is_full(invocation.options.concurrency_key) &&
           !fair_.is_closed(demand_of(*invocation.function));
}

void Scheduler::grant(TimePoint now, Outcome& out) {
    if (begun_ && !holding_) grant_slots(now, out);
    entries_.pack();
}

// In turn, until limits or hosts say stop.
void Scheduler::grant_slots(TimePoint now, Outcome& out) {
    fair_.set_tenant_max(run_limits_.tenant_max);
    look_again(now);
    while (running_ < run_limits_.global_max || mutant(Mutant::global_limit_ignored)) {
        const FairQueue::Next next = fair_.next();
        if (!next.waiter) return;
        Entry& entry = entries_.whole(static_cast<Seat&>(*next.waiter));
        const Invocation& invocation = entry.invocation;
        Route route = leased_route(now, invocation.tenant, *invocation.function);
        if (!route.host)
            route.host =
                hosts_.choose(now, invocation.tenant, *invocation.function, entry.avoided());
        if (route.host)
            dispatch(now, next, route, out);
        else
            pass_over(now, entry);
    }
}

// Hosts have room that had none, or the time of those that back off has come.
void Scheduler::look_again(TimePoint now) {
    while (!backing_off_.empty() && backing_off_.begin()->first.first <= now)
        line_up_again(*backing_off_.begin()->second);
    const std::vector<const Host*> roomier = hosts_.take_roomier();
    for (const Host* host : roomier)
        fair_.open([host](const Demand& demand) {
            return HostTable::has_room(*host, demand.memory_mb, demand.cpu_millis);
        });
    if (roomier.empty()) return;
    std::vector<Entry*> again;
    for (const auto& [due, entry] : backing_off_) {
        if (again.size() >= kLookAgain) break;
        again.push_back(entry);
    }
    for (Entry* entry : again) line_up_again(*entry);
}

void Scheduler::end_backoff(FunctionQueue& queue, Entry& entry) {
    std::optional<TimePoint>& until = entry.rare->backs_off_until;
    backing_off_.erase({*until, entry.seat.ticket});
    queue.backing_off.erase(entry.seat.ticket);
    until.reset();
}

void Scheduler::line_up_again(Entry& entry) {
    const SubmitOptions& options = entry.invocation.options;
    FunctionQueue& queue = queue_of(entry.invocation);
    end_backoff(queue, entry);
    fair_.insert(queue, entry.seat, options.priority, options.concurrency_key);
}

// No host is there for it. If that is for what it was refused a moment ago, others pass meanwhile;
// otherwise nobody like it can go.
void Scheduler::pass_over(TimePoint now, Entry& entry) {
    std::optional<TimePoint> until;
    for (const auto& [host, avoided_until] : entry.avoided())
        if (avoided_until > now) until = std::min(until.value_or(avoided_until), avoided_until);
    if (!until) return fair_.close(entry.seat.demand);
    FunctionQueue& queue = queue_of(entry.invocation);
    fair_.erase(queue, entry.seat);
    entry.rare->backs_off_until = until;
    backing_off_.emplace(std::pair(*until, entry.seat.ticket), &entry);
    queue.backing_off.emplace(entry.seat.ticket, &entry.seat);
}

void Scheduler::dispatch(TimePoint now, const FairQueue::Next& turn, const Route& route,
                         Outcome& out) {
    Entry& entry = entries_.whole(static_cast<Seat&>(*turn.waiter));
    const auto next = transition(entry.invocation.state, Trigger::slot_granted, {});
    LH_ASSERT(next.has_value());
    DispatchingRecord record;
    record.change = change(entry, now, *next);
    record.attempt = new_attempt(now, entry.invocation, route);
    record.route_tries = entry.invocation.route_tries;
    entry.version = 0;
    entry.rank = 0;
    entry.take_is_answered = false;
    entry.is_silent = false;
    queue_of(entry.invocation).drain.granted(now);
    fair_.charge(turn);
    commit(entry, std::move(record), out);
    start(entry, out, route.lease);
}

const FunctionQueue* Scheduler::known_queue(const Invocation& invocation) const {
    const auto found = functions_.find({invocation.tenant, invocation.function->name});
    return found == functions_.end() ? nullptr : &found->second;
}

WaitReason Scheduler::waits_for(const Seat& seat, const std::string& key,
                                const FunctionQueue& queue) const {
    const WaitReason limit = limit_reached(queue);
    if (limit == WaitReason::paused || limit == WaitReason::function_limit) return limit;
    if (queue.lines.key_is_full(key)) return WaitReason::key_limit;
    if (limit != WaitReason::none) return limit;
    if (seat.whole && seat.whole->backs_off())
        return hosts_.has_ready() ? WaitReason::backoff : WaitReason::no_capacity;
    const Waiter* head = queue.lines.head();
    return head && fair_.is_closed(head->demand) ? WaitReason::no_capacity : WaitReason::none;
}

WaitReason Scheduler::blocked_by(const FunctionQueue& queue) const {
    if (queue.queued == 0) return WaitReason::none;
    const WaitReason limit = limit_reached(queue);
    if (limit != WaitReason::none) return limit;
    if (const Waiter* head = queue.lines.head())
        return fair_.is_closed(head->demand) ? WaitReason::no_capacity : WaitReason::none;
    return queue.lines.empty() ? WaitReason::backoff : WaitReason::key_limit;
}

WaitInfo Scheduler::wait_info(const Invocation& invocation) const {
    WaitInfo info;
    if (invocation.state == State::scheduled) info.reason = WaitReason::not_before;
    if (invocation.state == State::retrying) info.reason = WaitReason::backoff;
    if (invocation.state != State::queued) return info;
    const Seat* seat = entries_.find(invocation.id);
    const FunctionQueue* queue = known_queue(invocation);
    if (!seat || !queue) return info;
    const SubmitOptions& options = invocation.options;
    info.reason = waits_for(*seat, options.concurrency_key, *queue);
    const FunctionLines::Place place =
        queue->lines.place_of(seat->ticket, options.priority, options.concurrency_key);
    info.position = place.in_all;
    if (info.reason == WaitReason::paused) return info;
    info.eta = info.reason == WaitReason::function_limit
                   ? queue->time_for(place.in_all, last_now_)
                   : queue->drain.time_for(place.in_all, last_now_);
    const std::uint32_t key_max = queue->current ? queue->current->key_max_running : 0;
    if (options.concurrency_key.empty() || key_max == 0 || queue->mean_run.count() == 0)
        return info;
    const auto runs = static_cast<Duration::rep>((place.in_line + key_max - 1) / key_max);
    info.eta = std::max(info.eta.value_or(Duration::zero()), queue->mean_run * runs);
    return info;
}

const Invocation* Scheduler::oldest_waiting(const FunctionQueue& queue) const {
    const Waiter* oldest = queue.oldest();
    return oldest ? show(static_cast<const Seat&>(*oldest)) : nullptr;
}

std::vector<InvocationId> Scheduler::waiting_in(const FunctionQueue& queue, std::size_t max) const {
    std::vector<InvocationId> found;
    const auto take = [&](const Waiter& waiter) {
        if (found.size() >= max) return false;
        found.push_back(static_cast<const Seat&>(waiter).id.whole());
        return true;
    };
    for (const auto& [ticket, waiter] : queue.backing_off)
        if (!take(*waiter)) return found;
    queue.lines.for_each(take);
    return found;
}

void Scheduler::check_queues() const {
    fair_.check_invariants();
    std::uint64_t queued = 0;
    std::uint64_t bytes = 0;
    std::size_t running = 0;
    std::size_t timed = 0;
    std::uint64_t timed_bytes = 0;
    for (const auto& [key, queue] : functions_) {
        queue.lines.check_invariants();
        std::uint64_t of_priorities = 0;
        for (const std::uint64_t count : queue.by_priority) of_priorities += count;
        LH_ASSERT(of_priorities == queue.queued);
        LH_ASSERT(waiting_in(queue, queue.queued + 1).size() == queue.queued);
        queued += queue.queued;
        bytes += queue.queued_bytes;
        running += queue.running;
        timed += queue.scheduled + queue.retrying;
        timed_bytes += queue.timed_bytes;
    }
    LH_ASSERT(queued == waiting_);
    LH_ASSERT(bytes == waiting_bytes_);
    LH_ASSERT(running == running_);
    LH_ASSERT(timed == timed_);
    LH_ASSERT(timed_bytes == timed_bytes_);
    std::size_t by_tenant = 0;
    for (const auto& [name, tenant] : fair_.tenants()) by_tenant += tenant.running;
    LH_ASSERT(by_tenant == running_);
}

}  // namespace longhaul::gateway
