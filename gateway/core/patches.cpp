// What a caller changes about an invocation that has not ended.
#include "gateway/core/scheduler.hpp"

#include <algorithm>
#include <tuple>

namespace longhaul::gateway {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

// As a merge patch: a value sets, nothing removes. Sorted, as a submit has them.
Labels merged(Labels labels, const PatchRequest& request) {
    for (const auto& [name, value] : request.labels) {
        std::erase_if(labels, [&name = name](const auto& label) { return label.first == name; });
        if (value) labels.emplace_back(name, *value);
    }
    std::ranges::sort(labels);
    return labels;
}

Result<void> may_patch(TimePoint now, const Invocation& invocation, const PatchRequest& request) {
    if (is_terminal(invocation.state))
        return make_error(
            Errc::conflict,
            "the invocation has already ended: " + std::string(to_string(invocation.state)),
            "already-finished");
    if (request.if_revision && *request.if_revision != invocation.revision)
        return make_error(Errc::precondition, "If-Match: the invocation is at revision " +
                                                  std::to_string(invocation.revision) + ", not " +
                                                  std::to_string(*request.if_revision));
    if (request.sets_not_before && invocation.state != State::scheduled)
        return make_error(Errc::conflict,
                          "not_before: the invocation is no longer scheduled, but " +
                              std::string(to_string(invocation.state)));
    if (request.deadline && *request.deadline <= now)
        return make_error(Errc::invalid_argument, "deadline is in the past");
    // What stops it there was told the deadline when it began.
    if (request.deadline && *request.deadline > invocation.deadline && holds_slot(invocation.state))
        return make_error(Errc::conflict,
                          "deadline: it runs already, so it can only be brought forward");
    return {};
}

bool changes_nothing(const PatchedRecord& record, const Invocation& invocation) {
    const SubmitOptions& options = invocation.options;
    return std::tie(record.priority, record.not_before, record.labels) ==
               std::tie(options.priority, options.not_before, options.labels) &&
           std::tie(record.deadline, record.deadline_is_explicit, record.queue_ttl_at,
                    record.due_at) == std::tie(invocation.deadline, invocation.deadline_is_explicit,
                                               invocation.queue_ttl_at, invocation.due_at);
}

// The new time moves what was counted from the old one.
void move_begin(TimePoint now, const Invocation& invocation, std::optional<TimePoint> to,
                PatchedRecord& record) {
    const TimePoint before = invocation.due_at.value_or(now);
    const TimePoint after = std::max(now, to.value_or(now));
    record.not_before = to;
    record.due_at = after;
    record.queue_ttl_at += after - before;
    if (!record.deadline_is_explicit) record.deadline += after - before;
}

}  // namespace

Result<void> Scheduler::patch(TimePoint now, const PatchRequest& request, Outcome& out) {
    last_now_ = now;
    Entry* entry = find_entry(request.id);
    if (!entry || entry->invocation.tenant != request.tenant)
        return make_error(Errc::not_found, "there is no invocation " + request.id.text,
                          "unknown-invocation");
    const Invocation& invocation = entry->invocation;
    if (auto allowed = may_patch(now, invocation, request); !allowed) return allowed;
    PatchedRecord record;
    record.change = change(*entry, now, invocation.state);
    record.priority = request.priority.value_or(invocation.options.priority);
    record.deadline = request.deadline.value_or(invocation.deadline);
    record.deadline_is_explicit = invocation.deadline_is_explicit || request.deadline;
    record.not_before = invocation.options.not_before;
    record.due_at = invocation.due_at;
    record.queue_ttl_at = invocation.queue_ttl_at;
    record.labels = merged(invocation.options.labels, request);
    if (record.labels.size() > request.labels_max)
        return make_error(Errc::invalid_argument,
                          "labels: more than " + std::to_string(request.labels_max));
    if (request.sets_not_before) move_begin(now, invocation, request.not_before, record);
    if (invocation.state == State::scheduled && record.deadline <= *record.due_at)
        return make_error(Errc::invalid_argument, "deadline is not after not_before");
    if (changes_nothing(record, invocation)) return {};
    commit(*entry, std::move(record), out);
    if (entry->awaits_result())
        deadlines_.clear(entry->seat);  // no timer fires once an end was reported
    const bool begins = invocation.state == State::scheduled && invocation.due_at <= now;
    if (begins) release(now, *entry, out);
    grant(now, out);
    return {};
}

}  // namespace longhaul::gateway
