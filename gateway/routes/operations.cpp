// Retry as new, DELETE, the same for many by filter, dead letters.
#include "gateway/driver/operations_handle.hpp"
#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/list_query.hpp"
#include "gateway/routes/stop_wishes.hpp"
#include "gateway/routes/submit_options.hpp"

namespace longhaul::gateway::routes {
namespace {

// The invocation that was made, or that had been made before.
Answer made_response(const Api& api, TenantName tenant, Submitted submitted) {
    InvocationId id = submitted.id;
    auto snapshot = co_await api.gateway.get(std::move(tenant), std::move(id));
    if (!snapshot) co_return net::problem_response(snapshot.error());
    const bool is_over = submitted.replayed && is_terminal(snapshot->invocation.state);
    net::Response response = document_response(is_over ? 200 : 202, *snapshot);
    response.with("Location", path_of(submitted.id));
    if (submitted.replayed) response.with("Idempotency-Replayed", "true");
    co_return response;
}

Answer retry(const Api& api, net::Request& request, bool of_dead_letter) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto key = idempotency_key_of(request);
    if (!key) co_return net::problem_response(key.error());
    RetryOrder order{what->tenant, what->id, std::move(*key)};
    order.is_only = of_dead_letter;
    order.of_dead_letter = of_dead_letter;
    auto submitted = co_await api.gateway.retry(std::move(order));
    if (!submitted) co_return net::problem_response(submitted.error());
    Submitted made = std::move(*submitted);
    co_return co_await made_response(api, std::move(what->tenant), std::move(made));
}

wire::Json bulk_document(const BulkAnswer& answer, bool dry_run) {
    wire::Json by_reason = wire::Json::object();
    for (const auto& [reason, count] : answer.by_reason) by_reason.set(reason, count);
    return wire::Json::object()
        .set("dry_run", dry_run)
        .set("matched", answer.matched)
        .set("done", answer.done)
        .set("refused", answer.refused)
        .set("by_reason", std::move(by_reason))
        .set("stopped_by", answer.stopped_by.empty() ? wire::Json() : answer.stopped_by)
        .set("next_cursor", answer.next ? wire::Json(cursor_at(*answer.next)) : wire::Json());
}

Answer do_bulk(const Api& api, BulkOrder order) {
    const bool dry_run = order.dry_run;
    auto answer = co_await api.gateway.bulk(std::move(order));
    if (!answer) co_return net::problem_response(answer.error());
    co_return net::json_response(200, bulk_document(*answer, dry_run));
}

Answer bulk(const Api& api, net::Request& request, BulkVerb verb) {
    auto order = parse_bulk_query(api, request, verb);
    if (!order) co_return net::problem_response(order.error());
    StopRequest wishes;
    wishes.cause = verb == BulkVerb::cancel ? StopCause::cancel : StopCause::kill;
    if (verb == BulkVerb::cancel || verb == BulkVerb::kill) {
        auto read = co_await read_stop_wishes(api, request, wishes);
        if (!read) co_return net::problem_response(read.error());
    }
    order->by = "api";
    order->reason = std::move(wishes.reason);
    order->grace = wishes.grace;
    BulkOrder complete = std::move(*order);
    co_return co_await do_bulk(api, std::move(complete));
}

}  // namespace

Answer retry_invocation(const Api& api, net::Request& request) {
    return retry(api, request, false);
}

Answer redrive_dead_letter(const Api& api, net::Request& request) {
    return retry(api, request, true);
}

Answer delete_invocation(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto done = co_await api.gateway.purge(std::move(what->tenant), std::move(what->id));
    if (!done) co_return net::problem_response(done.error());
    net::Response response;
    response.status = 204;
    co_return response;
}

Answer bulk_cancel(const Api& api, net::Request& request) {
    return bulk(api, request, BulkVerb::cancel);
}

Answer bulk_kill(const Api& api, net::Request& request) {
    return bulk(api, request, BulkVerb::kill);
}

Answer bulk_retry(const Api& api, net::Request& request) {
    return bulk(api, request, BulkVerb::retry);
}

Answer bulk_purge(const Api& api, net::Request& request) {
    return bulk(api, request, BulkVerb::purge);
}

// Cancels what waits of one function; what runs goes on.
Answer purge_queue(const Api& api, net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) co_return net::problem_response(tenant.error());
    auto name = function_of(request);
    if (!name) co_return net::problem_response(name.error());
    if (!api.gateway.scheduler().function(*tenant, *name))
        co_return net::problem_response(make_error(
            Errc::not_found, "there is no function \"" + name->text + "\"", "unknown-function"));
    BulkOrder order;
    order.query.tenant = std::move(*tenant);
    order.query.function = std::move(*name);
    order.query.states = {State::scheduled, State::queued, State::retrying};
    order.query.limit = api.options.bulk_max;
    order.by = "api";
    order.reason = "the queue was purged";
    co_return co_await do_bulk(api, std::move(order));
}

Answer list_dead_letters(const Api& api, net::Request& request) {
    auto query = parse_dead_letter_query(api, request);
    if (!query) co_return net::problem_response(query.error());
    ListQuery wanted = std::move(*query);
    co_return co_await list_page(api, request, std::move(wanted));
}

}  // namespace longhaul::gateway::routes
