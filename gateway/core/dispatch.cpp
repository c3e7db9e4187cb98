// Admission, limits, and who goes next.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

TimePoint default_deadline(const FunctionSpec& function, const Invocation& invocation) {
    const RetrySpec retry = invocation.retry();
    const Duration one = function.load_timeout + invocation.timeout() + function.timeout_grace;
    return invocation.queue_ttl_at + one * retry.max_attempts +
           backoffs_together(retry, retry.max_attempts);
}

Invocation make_invocation(TimePoint now, SubmitRequest&& request,
                           const std::shared_ptr<const FunctionSpec>& function) {
    Invocation invocation;
    invocation.id = std::move(request.id);
    invocation.tenant = std::move(request.tenant);
    invocation.function = function;
    invocation.body = std::move(request.body);
    invocation.options = std::move(request.options);
    invocation.retry_of = std::move(request.retry_of);
    invocation.created_at = now;
    const TimePoint begins = mutant(Mutant::not_before_ignored)
                                 ? now
                                 : std::max(now, invocation.options.not_before.value_or(now));
    invocation.queue_ttl_at = begins + invocation.options.queue_ttl.value_or(function->queue_ttl);
    invocation.deadline_is_explicit = invocation.options.deadline.has_value();
    invocation.deadline =
        invocation.options.deadline.value_or(default_deadline(*function, invocation));
    invocation.state = begins > now ? State::scheduled : State::queued;
    if (invocation.state == State::scheduled) invocation.due_at = begins;
    return invocation;
}

}  // namespace

Result<SubmitAnswer> Scheduler::submit(TimePoint now, SubmitRequest request, Outcome& out) {
    const auto found = functions_.find({request.tenant, request.function});
    if (found == functions_.end() || !found->second.current)
        return make_error(Errc::not_found, "there is no function \"" + request.function.text + "\"",
                          "unknown-function");
    FunctionQueue& queue = found->second;

    // I2: the key, or the chosen id, decides before anything else.
    if (const auto known = known_submit(request)) return *known;

    if (auto room = has_room(now, queue, request.body.size); !room) return room.error();
    if (request.options.deadline && *request.options.deadline <= now)
        return make_error(Errc::invalid_argument, "Invocation-Deadline is in the past",
                          "invalid-header");

    const InvocationId id = request.id;
    Entry& entry = entries_.add(make_invocation(now, std::move(request), queue.current));
    entry.seat.ticket = next_ticket_++;
    last_now_ = now;
    queue.retries.earn(queue.current->retry);
    Route route;
    if (may_start_at_once(queue, entry.invocation)) {
        route = leased_route(now, entry.invocation.tenant, *queue.current);
        if (!route.host) route.host = hosts_.choose(now, entry.invocation.tenant, *queue.current);
        if (route.host) {
            entry.invocation.attempts.push_back(new_attempt(now, entry.invocation, route));
            entry.invocation.state = State::dispatching;
            entry.invocation.phase = Phase::acquiring_route;
            fair_.charge_newcomer(
                queue, {memory_mb_of_run(*queue.current), cpu_millis_of_run(*queue.current)});
        }
    }
    remember(entry.invocation);
    place(now, entry);
    out.records.push_back(AcceptedRecord{entry.invocation});
    if (route.host) {
        start(entry, out, route.lease);
        entries_.pack();
    } else {
        grant(now, out);
    }
    return SubmitAnswer{id, false};
}

// No question has to be asked there. What its host said since it gave the lease may have made that
// worthless.
Scheduler::Route Scheduler::leased_route(TimePoint now, const TenantName& tenant,
                                         const FunctionSpec& function) {
    const auto suits = [&](const Lease& lease) {
        const Host* host = hosts_.find(lease.host);
        return host && host->news.epoch == lease.epoch && HostTable::has_room(*host, function);
    };
    auto lease = leases_.take(now, LeaseKey{tenant, function.name, function.version}, suits);
    if (!lease) return {};
    const Host* host = hosts_.find(lease->host);
    return {host, std::move(lease)};
}

Attempt Scheduler::new_attempt(TimePoint now, const Invocation& invocation, const Route& route) {
    const Host& host = *route.host;
    LH_ASSERT(!host.news.draining);
    Attempt attempt;
    attempt.number = invocation.attempts.empty() ? 1 : invocation.current()->number + 1;
    if (attempt.number > 1 && mutant(Mutant::attempt_number_reused)) --attempt.number;
    attempt.token = next_token();
    attempt.host = host.news.host;
    attempt.host_address = host.news.address;
    attempt.dispatched_at = now;
    if (route.lease)
        attempt.instance = route.lease->instance;
    else
        hosts_.use_idle(host.news.host, invocation.tenant, *invocation.function);
    return attempt;
}

void Scheduler::start(const Entry& entry, Outcome& out, const std::optional<Lease>& lease,
                      bool is_repeat) const {
    const Invocation& invocation = entry.invocation;
    const Attempt& attempt = *invocation.current();
    StartEffect effect;
    effect.id = invocation.id;
    effect.tenant = invocation.tenant;
    effect.attempt = attempt.number;
    effect.token = attempt.token;
    effect.host = attempt.host;
    effect.host_address = host_address(attempt.host, attempt.host_address);
    effect.function = invocation.function;
    effect.body = invocation.body;
    effect.traceparent = invocation.options.traceparent;
    effect.labels = invocation.options.labels;
    effect.headers = invocation.options.headers;
    effect.timeout = invocation.timeout();
    effect.deadline = invocation.deadline;
    effect.created_at = invocation.created_at;
    effect.dispatched_at = attempt.dispatched_at;
    effect.instance = attempt.instance;
    if (lease) effect.lease = StartLease{lease->address, lease->run_token};
    effect.is_repeat = is_repeat;
    out.effects.push_back(std::move(effect));
}

void Scheduler::requeue(TimePoint now, Entry& entry, Trigger trigger, std::uint32_t route_tries,
                        Outcome& out) {
    const auto next = transition(entry.invocation.state, trigger, {});
    if (!next) return;
    LH_ASSERT(*next == State::queued);
    if (mutant(Mutant::place_lost)) entry.seat.ticket = next_ticket_++;
    RequeuedRecord record;
    record.change = change(entry, now, *next);
    record.route_tries = route_tries;
    commit(entry, std::move(record), out);
}

void Scheduler::not_started(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                            RouteFailure failure, const std::string& why, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_attempt(id, attempt);
    if (!entry || entry->awaits_result()) return;  // an end that was reported stands
    if (entry->invocation.state == State::stopping) {
        // Nothing runs, so the stop is done.
        stop_was_fence(now, id, attempt, out);
        return;
    }
    if (entry->invocation.state != State::dispatching) return;
    const HostId host = entry->invocation.current()->host;
    const bool counts = failure != RouteFailure::no_capacity;
    const std::uint32_t tries = entry->invocation.route_tries + (counts ? 1 : 0);
    if (counts && tries >= limits_.route_tries_max) {
        Failure report;
        report.reason = FailureReason::route;
        report.fault = fault_of(report.reason);
        report.message =
            "no host could start it after " + std::to_string(tries) + " tries; the last: " + why;
        end_unstarted(now, *entry, Trigger::route_exhausted, std::move(report), out);
    } else {
        requeue(now, *entry, Trigger::not_started, tries, out);
    }
    // After the release above, which is no sign of room; before the next grant. Each further try of
    // an invocation waits longer; for all of them, where the host cannot be reached, unless it lets
    // hear of itself.
    if (failure == RouteFailure::refused)
        avoid(now, *entry, host, tries);
    else
        hosts_.mark_full(now, host, counts ? tries : 0);
    grant(now, out);
}

void Scheduler::drain_answered(TimePoint now, const HostId& host, std::optional<bool> draining,
                               Outcome& out) {
    last_now_ = now;
    hosts_.drain_answered(host, draining);
    grant(now, out);
}

// Something between this invocation and this host: others may do well there.
void Scheduler::avoid(TimePoint now, Entry& entry, const HostId& host, std::uint32_t tries) {
    Avoided& avoided = entry.make_rare().avoided;
    std::erase_if(avoided,
                  [&](const auto& item) { return item.second <= now || item.first == host; });
    avoided.emplace_back(host, now + hosts_.pause_after(tries));
}

void Scheduler::take_answered(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                              Phase phase, StageTrace stages, Outcome& out) {
    Entry* entry = find_attempt(id, attempt);
    if (!entry || entry->invocation.state != State::dispatching) return;
    entry->take_is_answered = true;
    entry->take_answered_at = now;
    entry->invocation.phase = phase;
    // A repeated take finds the instance ready: the first one tells what the way there took.
    StageTrace& trace = entry->invocation.current()->trace;
    if (trace.empty()) trace = std::move(stages);
    changed(*entry, out);
}

Result<bool> Scheduler::put_function(TimePoint now, const TenantName& tenant, FunctionSpec spec,
                                     Outcome& out) {
    last_now_ = now;
    const FunctionKey key{tenant, spec.name};
    const auto found = functions_.find(key);
    const bool is_new = found == functions_.end() || !found->second.current;
    if (is_new && functions_.size() >= limits_.functions_max)
        return make_error(Errc::overloaded, "there are already " +
                                                std::to_string(limits_.functions_max) +
                                                " functions, which is the limit");
    if (!is_new && *found->second.current == spec) return false;
    auto shared = std::make_shared<const FunctionSpec>(std::move(spec));
    const bool paused = !is_new && found->second.paused;
    load_function(tenant, shared, paused, now);
    out.records.push_back(FunctionPutRecord{tenant, std::move(shared), now});
    grant(now, out);
    return is_new;
}

Result<void> Scheduler::delete_function(TimePoint now, const TenantName& tenant,
                                        const FunctionName& name, Outcome& out) {
    last_now_ = now;
    const auto found = functions_.find({tenant, name});
    if (found == functions_.end() || !found->second.current)
        return make_error(Errc::not_found, "there is no function \"" + name.text + "\"",
                          "unknown-function");
    if (found->second.live > 0)
        return make_error(Errc::conflict,
                          "the function has " + std::to_string(found->second.live) +
                              " live invocations; cancel them or wait for them",
                          "function-busy");
    fair_.quit(found->second);
    functions_.erase(found);
    out.records.push_back(FunctionDeletedRecord{tenant, name, now});
    return {};
}

Result<void> Scheduler::pause(TimePoint now, const TenantName& tenant, const FunctionName& name,
                              bool paused, Outcome& out) {
    last_now_ = now;
    const auto found = functions_.find({tenant, name});
    if (found == functions_.end() || !found->second.current)
        return make_error(Errc::not_found, "there is no function \"" + name.text + "\"",
                          "unknown-function");
    if (found->second.paused == paused) return {};
    found->second.paused = paused;
    set_limits(found->second);
    out.records.push_back(QueuePausedRecord{tenant, name, paused});
    grant(now, out);
    return {};
}

}  // namespace longhaul::gateway
