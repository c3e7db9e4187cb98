// Retry, purge, the same for many, dead letters, queues and limits.
#include "longhaul/client/client.hpp"
#include "longhaul/client/decode.hpp"

#include <fmt/format.h>

namespace longhaul::client {
namespace {

using boost::asio::awaitable;
using port::PeerRequest;
using wire::Json;

constexpr std::uint32_t kBulkStep = 1000;  // of one call, so that it ends before its limit

PeerRequest request_for(std::string method, std::string target) {
    PeerRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    return request;
}

void set_body(PeerRequest& request, const Json& body) {
    request.body = body.dump();
    request.headers.emplace_back("Content-Type", "application/json");
}

PeerRequest bulk_request(const BulkRequest& from, const std::string& cursor) {
    ListFilter filter = from.filter;
    filter.limit = kBulkStep;
    filter.oldest_first = false;
    filter.cursor = cursor;
    std::string query = list_query(filter);
    if (from.all) query += "&all=true";
    if (from.dry_run) query += "&dry_run=true";
    PeerRequest request = request_for("POST", "/v1/invocations:" + from.verb + query);
    Json body = Json::object();
    if (!from.grace.empty()) body.set("grace", from.grace);
    if (!from.reason.empty()) body.set("reason", from.reason);
    set_body(request, body);
    return request;
}

std::int64_t number_in(const Json& document, std::string_view name) {
    const auto* number = document[name].as_integer();
    return number ? *number : 0;
}

std::string text_in(const Json& document, std::string_view name) {
    const auto* text = document[name].as_string();
    return text ? *text : std::string();
}

void add(const Json& answer, BulkDone& sum) {
    sum.matched += number_in(answer, "matched");
    sum.done += number_in(answer, "done");
    sum.refused += number_in(answer, "refused");
    if (const auto* reasons = answer["by_reason"].as_object())
        for (const auto& [reason, count] : *reasons)
            if (const auto* number = count.as_integer()) sum.by_reason[reason] += *number;
    sum.stopped_by = text_in(answer, "stopped_by");
    sum.next_cursor = text_in(answer, "next_cursor");
}

}  // namespace

awaitable<Result<InvocationStatus>> Client::call_status(PeerRequest request) {
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_status(std::move(*json));
}

awaitable<Result<InvocationStatus>> Client::change(InvocationId id, wire::Json change) {
    auto request = request_for("PATCH", "/v1/invocations/" + url_encode(id.text));
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = change.dump();
    return call_status(std::move(request));
}

awaitable<Result<InvocationStatus>> Client::retry(InvocationId id) {
    return call_status(
        request_for("POST", fmt::format("/v1/invocations/{}/retry", url_encode(id.text))));
}

awaitable<Result<InvocationStatus>> Client::redrive(InvocationId id) {
    return call_status(
        request_for("POST", fmt::format("/v1/dead-letters/{}/redrive", url_encode(id.text))));
}

awaitable<Result<void>> Client::purge(InvocationId id) {
    auto request = request_for("DELETE", "/v1/invocations/" + url_encode(id.text));
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return Result<void>();
}

awaitable<Result<BulkDone>> Client::bulk(BulkRequest request) {
    BulkDone sum;
    std::string cursor = request.filter.cursor;
    do {
        auto next = bulk_request(request, cursor);
        auto answer = co_await call_json(std::move(next), options_.upload_limit);
        if (!answer) co_return answer.error();
        add(*answer, sum);
        cursor = sum.next_cursor;
    } while (!cursor.empty() && sum.stopped_by.empty());
    co_return sum;
}

awaitable<Result<ListPage>> Client::dead_letters(ListFilter filter) {
    auto request = request_for("GET", "/v1/dead-letters" + list_query(filter));
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_page(std::move(*json));
}

awaitable<Result<Json>> Client::debug(InvocationId id) {
    return call_json(
        request_for("GET", fmt::format("/v1/invocations/{}/debug", url_encode(id.text))),
        options_.call_limit);
}

awaitable<Result<Json>> Client::submit_batch(std::string lines) {
    auto request = request_for("POST", "/v1/invocations:batch");
    request.headers.emplace_back("Content-Type", "application/x-ndjson");
    request.body = std::move(lines);
    return call_json(std::move(request), options_.upload_limit);
}

awaitable<Result<Json>> Client::queue(FunctionName name, std::string verb) {
    const std::string path = fmt::format("/v1/functions/{}/queue", url_encode(name.text));
    return call_json(
        verb.empty() ? request_for("GET", path) : request_for("POST", path + "/" + verb),
        options_.call_limit);
}

awaitable<Result<Json>> Client::limits(Json change) {
    auto request = request_for(change.is_null() ? "GET" : "PUT", "/v1/limits");
    if (!change.is_null()) set_body(request, change);
    return call_json(std::move(request), options_.call_limit);
}

}  // namespace longhaul::client
