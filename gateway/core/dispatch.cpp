// Admission, limits, and who goes next.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kLookAhead = 32;  // of a line, past those that back off

Error queue_full(const FunctionQueue& queue, std::uint64_t limit, const char* scope) {
    const auto wait =
        std::chrono::ceil<std::chrono::seconds>(queue.expected_wait(queue.waiting.size()));
    Error error = make_error(Errc::overloaded,
                             "the queue of the " + std::string(scope) + " holds its limit of " +
                                 std::to_string(limit) + "; try again in " +
                                 std::to_string(wait.count()) + " s",
                             "queue-full");
    error.limit = limit;
    error.scope = scope;
    error.retry_after_s = static_cast<std::uint32_t>(std::min<std::int64_t>(wait.count(), 3600));
    return error;
}

Error fingerprint_differs(const InvocationId& id) {
    return make_error(Errc::mismatch,
                      "this key or id belongs to invocation " + id.text +
                          ", which was submitted with another body or other options",
                      "idempotency-mismatch");
}

TimePoint default_deadline(const FunctionSpec& function, const Invocation& invocation) {
    return invocation.queue_ttl_at + function.load_timeout + invocation.timeout() +
           function.timeout_grace;
}

Invocation make_invocation(TimePoint now, SubmitRequest&& request,
                           const std::shared_ptr<const FunctionSpec>& function) {
    Invocation invocation;
    invocation.id = std::move(request.id);
    invocation.tenant = std::move(request.tenant);
    invocation.function = function;
    invocation.body = std::move(request.body);
    invocation.options = std::move(request.options);
    invocation.created_at = now;
    invocation.queue_ttl_at = now + invocation.options.queue_ttl.value_or(function->queue_ttl);
    invocation.deadline_is_explicit = invocation.options.deadline.has_value();
    invocation.deadline =
        invocation.options.deadline.value_or(default_deadline(*function, invocation));
    invocation.state = State::queued;
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
    std::optional<InvocationId> known;
    if (!request.options.idempotency_key.empty() && !mutant(Mutant::key_not_looked_up))
        known = find_key(request.tenant, request.function, request.options.idempotency_key);
    if (!known && entries_.contains(request.id)) known = request.id;
    if (known) {
        const Invocation& existing = entries_.at(*known).invocation;
        if (existing.tenant != request.tenant)
            return make_error(Errc::not_found, "there is no invocation " + known->text);
        if (existing.options.fingerprint != request.options.fingerprint &&
            !mutant(Mutant::fingerprint_ignored))
            return fingerprint_differs(*known);
        return SubmitAnswer{*known, true};
    }

    if (auto room = has_room(queue); !room) return room.error();
    if (request.options.deadline && *request.options.deadline <= now)
        return make_error(Errc::invalid_argument, "Invocation-Deadline is in the past",
                          "invalid-header");

    Entry entry;
    entry.invocation = make_invocation(now, std::move(request), queue.current);
    const InvocationId id = entry.invocation.id;
    entry.ticket = next_ticket_++;
    Route route;
    if (!holding_ && queue.waiting.empty() && limit_reached(queue) == WaitReason::none) {
        route = leased_route(now, entry.invocation.tenant, *queue.current);
        if (!route.host) route.host = hosts_.choose(now, entry.invocation.tenant, *queue.current);
        if (route.host) {
            entry.invocation.attempts.push_back(new_attempt(now, entry.invocation, route));
            entry.invocation.state = State::dispatching;
            entry.invocation.phase = Phase::acquiring_route;
        }
    }
    const auto [place_of_entry, is_new] = entries_.emplace(id, std::move(entry));
    LH_ASSERT(is_new);
    Entry& placed = place_of_entry->second;
    if (!placed.invocation.options.idempotency_key.empty())
        keys_[{placed.invocation.tenant, placed.invocation.function->name,
               placed.invocation.options.idempotency_key}] = id;
    place(now, placed);
    out.records.push_back(AcceptedRecord{placed.invocation});
    if (route.host) start(placed, out, route.lease);
    // Those before it may only be backing off.
    if (!route.host && retry_at_) {
        last_now_ = now;
        grant(now, out);
    }
    return SubmitAnswer{id, false};
}

Result<void> Scheduler::has_room(const FunctionQueue& queue) const {
    if (queue.waiting.size() >= queue.current->max_queued)
        return queue_full(queue, queue.current->max_queued, "function");
    if (waiting_ >= limits_.queued_max) return queue_full(queue, limits_.queued_max, "gateway");
    return {};
}

WaitReason Scheduler::limit_reached(const FunctionQueue& queue) const {
    if (queue.paused && !mutant(Mutant::paused_queue_granted)) return WaitReason::paused;
    const std::uint32_t spare = mutant(Mutant::limit_off_by_one) ? 1 : 0;
    if (queue.current && queue.running >= queue.current->max_running + spare)
        return WaitReason::function_limit;
    if (run_limits_.tenant_max > 0) {
        const auto tenant = running_by_tenant_.find(queue.tenant);
        if (tenant != running_by_tenant_.end() && tenant->second >= run_limits_.tenant_max)
            return WaitReason::tenant_limit;
    }
    if (running_ >= run_limits_.global_max && !mutant(Mutant::global_limit_ignored))
        return WaitReason::global_limit;
    return WaitReason::none;
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

// The first in line for whom there is a host. Those that were refused a moment ago, and so wait for
// one to be tried again, let others pass meanwhile.
std::pair<Scheduler::Entry*, Scheduler::Route> Scheduler::next_of(TimePoint now,
                                                                  FunctionQueue& queue,
                                                                  Unmet& unmet) {
    std::size_t looked_at = 0;
    for (const auto& [ticket, id] : queue.waiting) {
        if (++looked_at > kLookAhead) break;
        Entry* entry = find_entry(id);
        LH_ASSERT(entry != nullptr);
        const FunctionSpec& function = *entry->invocation.function;
        Route route = leased_route(now, entry->invocation.tenant, function);
        if (route.host) return {entry, std::move(route)};
        const std::pair demand{function.memory_mb, function.cpu_millis};
        const bool is_hopeless = std::ranges::any_of(unmet, [&](const auto& known) {
            return known.first <= demand.first && known.second <= demand.second;
        });
        if (is_hopeless) break;
        route.host = hosts_.choose(now, entry->invocation.tenant, function, entry->avoided);
        if (route.host) return {entry, std::move(route)};
        bool avoids = false;
        for (const auto& [avoided, until] : entry->avoided) {
            if (until <= now) continue;
            avoids = true;
            retry_at_ = std::min(retry_at_.value_or(until), until);
        }
        if (avoids) continue;
        unmet.push_back(demand);
        break;
    }
    return {nullptr, Route{}};
}

// Grants slots, one function after another, until limits or hosts say stop.
void Scheduler::grant(TimePoint now, Outcome& out) {
    retry_at_.reset();
    if (!begun_ || holding_ || waiting_ == 0 || functions_.empty()) return;
    Unmet unmet;
    std::size_t without_progress = 0;
    while (waiting_ > 0 && without_progress < functions_.size()) {
        if (next_turn_ == functions_.end()) next_turn_ = functions_.begin();
        FunctionQueue& queue = next_turn_->second;
        ++next_turn_;
        ++without_progress;
        if (queue.waiting.empty() || limit_reached(queue) != WaitReason::none) continue;
        const auto [entry, route] = next_of(now, queue, unmet);
        if (!entry) continue;
        const auto next = transition(entry->invocation.state, Trigger::slot_granted, {});
        LH_ASSERT(next.has_value());
        DispatchingRecord record;
        record.change = change(*entry, now, *next);
        record.attempt = new_attempt(now, entry->invocation, route);
        record.route_tries = entry->invocation.route_tries;
        entry->version = 0;
        entry->rank = 0;
        entry->take_is_answered = false;
        commit(*entry, std::move(record), out);
        start(*entry, out, route.lease);
        without_progress = 0;
    }
}

void Scheduler::start(const Entry& entry, Outcome& out, const std::optional<Lease>& lease) const {
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
    out.effects.push_back(std::move(effect));
}

void Scheduler::requeue(TimePoint now, Entry& entry, Trigger trigger, std::uint32_t route_tries,
                        Outcome& out) {
    const auto next = transition(entry.invocation.state, trigger, {});
    if (!next) return;
    LH_ASSERT(*next == State::queued);
    if (mutant(Mutant::place_lost)) entry.ticket = next_ticket_++;
    RequeuedRecord record;
    record.change = change(entry, now, *next);
    record.route_tries = route_tries;
    commit(entry, std::move(record), out);
}

void Scheduler::not_started(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                            RouteFailure failure, const std::string& why, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_attempt(id, attempt);
    if (!entry || entry->ended) return;  // an end that was reported stands
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
    std::erase_if(entry.avoided,
                  [&](const auto& item) { return item.second <= now || item.first == host; });
    entry.avoided.emplace_back(host, now + hosts_.pause_after(tries));
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
    if (next_turn_ == found) ++next_turn_;
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
    out.records.push_back(QueuePausedRecord{tenant, name, paused});
    grant(now, out);
    return {};
}

}  // namespace longhaul::gateway
