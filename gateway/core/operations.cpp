// What callers may do to one that has ended, to limits, and what they may look at.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/mutant.hpp"

namespace longhaul::gateway {
namespace {

Error fingerprint_differs(const InvocationId& id) {
    return make_error(Errc::mismatch,
                      "this key or id belongs to invocation " + id.text +
                          ", which was submitted with another body or other options",
                      "idempotency-mismatch");
}

}  // namespace

// The answer to a submit that needs no new invocation, or that cannot have one.
std::optional<Result<SubmitAnswer>> Scheduler::known_submit(const SubmitRequest& request) const {
    std::optional<InvocationId> known;
    if (!request.options.idempotency_key.empty() && !mutant(Mutant::key_not_looked_up))
        known = find_key(request.tenant, request.function, request.options.idempotency_key);
    if (!known && entries_.find(request.id)) known = request.id;
    if (known) {
        const Invocation& existing = *find(*known);
        if (existing.tenant != request.tenant)
            return make_error(Errc::not_found, "there is no invocation " + known->text);
        if (existing.options.fingerprint != request.options.fingerprint &&
            !mutant(Mutant::fingerprint_ignored))
            return fingerprint_differs(*known);
        return SubmitAnswer{*known, true};
    }
    if (!request.retry_of || !request.is_only_retry) return std::nullopt;
    const auto retry = retries_.find(*request.retry_of);
    if (retry == retries_.end()) return std::nullopt;
    return SubmitAnswer{retry->second, true};
}

// By what else than its id it can be found, until it is forgotten.
void Scheduler::remember(const Invocation& invocation) {
    const std::string& key = invocation.options.idempotency_key;
    if (!key.empty()) keys_[{invocation.tenant, invocation.function->name, key}] = invocation.id;
    if (invocation.retry_of) retries_[*invocation.retry_of] = invocation.id;
}

Result<void> Scheduler::purge(TimePoint now, const InvocationId& id, Outcome& out) {
    last_now_ = now;
    const Seat* seat = entries_.find(id);
    if (seat && !is_terminal(entries_.state(*seat)))
        return make_error(Errc::conflict,
                          "the invocation has not ended: it is " +
                              std::string(to_string(entries_.state(*seat))) +
                              "; cancel or kill it first",
                          "still-live");
    out.records.push_back(PurgedRecord{id, now});
    return {};
}

void Scheduler::put_limits(TimePoint now, const RunLimits& limits, Outcome& out) {
    last_now_ = now;
    if (limits == run_limits_) return;
    run_limits_ = limits;
    out.records.push_back(LimitsPutRecord{limits});
    grant(now, out);
}

std::optional<Inspection> Scheduler::inspect(const InvocationId& id) const {
    const Seat* seat = entries_.find(id);
    if (!seat) return std::nullopt;
    Inspection inspection;
    inspection.ticket = seat->ticket;
    inspection.due_at = due_at(*show(*seat));
    if (!seat->whole) return inspection;
    const Entry& entry = *seat->whole;
    inspection.rank = entry.rank;
    inspection.version = entry.version;
    inspection.take_is_answered = entry.take_is_answered;
    inspection.take_answered_at = entry.take_answered_at;
    inspection.awaits_result = entry.awaits_result();
    for (const auto& avoided : entry.avoided())
        if (avoided.second > last_now_) inspection.avoided.push_back(avoided);
    if (!holds_slot(entry.invocation.state)) return inspection;
    const Attempt& attempt = *entry.invocation.current();
    const Host* host = hosts_.find(attempt.host);
    inspection.is_unheard = host && host->unheard.contains({id, attempt.number});
    return inspection;
}

std::vector<SlotHolder> Scheduler::slot_holders(const std::optional<SlotPlace>& after,
                                                std::size_t max) const {
    std::vector<SlotHolder> holders;
    const auto& hosts = hosts_.all();
    auto host = after ? hosts.lower_bound(after->first) : hosts.begin();
    for (; host != hosts.end() && holders.size() < max; ++host) {
        const auto& attempts = host->second.attempts;
        const bool is_within = after && host->first == after->first;
        auto attempt = is_within ? attempts.upper_bound(after->second) : attempts.begin();
        for (; attempt != attempts.end() && holders.size() < max; ++attempt) {
            const Invocation& invocation = find_whole(attempt->first)->invocation;
            holders.push_back(SlotHolder{.id = attempt->first,
                                         .attempt = attempt->second,
                                         .tenant = invocation.tenant,
                                         .function = invocation.function->name,
                                         .host = host->first,
                                         .state = invocation.state,
                                         .since = invocation.current()->dispatched_at});
        }
    }
    return holders;
}

}  // namespace longhaul::gateway
