// Everything about one invocation in one answer, for a person who asks why it does not go on.
#include "gateway/driver/operations_handle.hpp"
#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"

namespace longhaul::gateway::routes {
namespace {

wire::Json inspection_document(const Diagnosis& diagnosis) {
    if (!diagnosis.inspection) return wire::Json();
    const Inspection& inspection = *diagnosis.inspection;
    wire::Json avoided = wire::Json::array();
    for (const auto& [host, until] : inspection.avoided)
        avoided.push(
            wire::Json::object().set("host", host.text).set("until", format_rfc3339(until)));
    const Invocation& invocation = diagnosis.snapshot.invocation;
    return wire::Json::object()
        .set("ticket", inspection.ticket)
        .set("holds_slot", holds_slot(invocation.state))
        .set("due_at", inspection.due_at ? format_rfc3339(*inspection.due_at) : wire::Json())
        .set("queue_ttl_at", format_rfc3339(invocation.queue_ttl_at))
        .set("route_tries", invocation.route_tries)
        .set("rank", int{inspection.rank})
        .set("version", inspection.version)
        .set("take_is_answered", inspection.take_is_answered)
        .set("started_unheard", inspection.is_unheard)
        .set("awaits_result", inspection.awaits_result)
        .set("avoided_hosts", std::move(avoided));
}

// The host of the current attempt.
wire::Json host_of(const Api& api, const Invocation& invocation) {
    const Attempt* attempt = invocation.current();
    if (!attempt) return wire::Json();
    const Host* host = api.gateway.scheduler().hosts().find(attempt->host);
    if (!host) return wire::Json();
    wire::Json document = host_document(*host, api.gateway.clock().now());
    document.set("known_seq", host->known_seq)
        .set("last_seq", host->last_seq)
        .set("fences_owed", std::uint64_t{host->fences.size()})
        .set("asked", host->question != Question::none);
    return document;
}

}  // namespace

Answer debug_invocation(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto diagnosis = co_await api.gateway.diagnose(std::move(what->tenant), std::move(what->id));
    if (!diagnosis) co_return net::problem_response(diagnosis.error());
    const Invocation& invocation = diagnosis->snapshot.invocation;
    wire::Json events = wire::Json::array();
    for (const HistoryEntry& entry : diagnosis->history)
        events.push(history_document(invocation.id, entry));
    const Scheduler& scheduler = api.gateway.scheduler();
    const FunctionQueue* queue = scheduler.function(invocation.tenant, invocation.function->name);
    wire::Json journal = wire::Json::object();
    journal.set("staged", diagnosis->staged)
        .set("durable", diagnosis->durable)
        .set("in_view", diagnosis->applied)
        .set("owner_term", scheduler.owner_term());
    wire::Json answer = wire::Json::object();
    const TimePoint now = api.gateway.clock().now();
    answer.set("now", format_rfc3339(now))
        .set("invocation", invocation_document(diagnosis->snapshot))
        .set("core", inspection_document(*diagnosis))
        .set("events", std::move(events))
        .set("host", host_of(api, invocation))
        .set("queue", queue ? queue_document(*queue, scheduler, now) : wire::Json())
        .set("journal", std::move(journal));
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::gateway::routes
