#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/list_query.hpp"

#include <charconv>

namespace longhaul::gateway::routes {
namespace {

struct Seen {
    std::uint32_t revision = 0;
    std::uint64_t status_version = 0;
};

// "4" or "4.17": what the caller has seen.
Result<Seen> parse_seen(std::string_view text) {
    Seen seen;
    const char* const end = text.data() + text.size();
    auto parsed = std::from_chars(text.data(), end, seen.revision);
    if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '.')
        parsed = std::from_chars(parsed.ptr + 1, end, seen.status_version);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
        return make_error(Errc::invalid_argument,
                          "query revision: is neither N nor N.M, as in the ETag",
                          "invalid-parameter");
    return seen;
}

bool is_current(const net::Request& request, const Snapshot& snapshot) {
    const std::string etag = etag_of(snapshot.invocation);
    for (const std::string_view value : request.headers_named("If-None-Match"))
        if (value == "*" || value.find(etag) != std::string_view::npos) return true;
    return false;
}

// What the caller saw: ?revision=, else If-None-Match, else how it stands now.
boost::asio::awaitable<Result<Seen>> seen_by(const Api& api, net::Request& request,
                                             const Addressed& what) {
    if (const auto text = request.query_value("revision")) co_return parse_seen(*text);
    if (const auto etag = request.header("If-None-Match"); etag && etag->size() > 2)
        if (const auto seen = parse_seen(etag->substr(1, etag->size() - 2))) co_return *seen;
    TenantName tenant = what.tenant;
    InvocationId id = what.id;
    auto now = co_await api.gateway.get(std::move(tenant), std::move(id));
    if (!now) co_return now.error();
    co_return Seen{now->invocation.revision, now->invocation.status_version};
}

}  // namespace

Answer get_invocation(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto wait = duration_query(request, "wait", api.options.wait_max);
    if (!wait) co_return net::problem_response(wait.error());
    Result<Snapshot> snapshot = make_error(Errc::internal, "not read");
    if (const auto revision = request.query_value("revision")) {
        const auto seen = parse_seen(*revision);
        if (!seen) co_return net::problem_response(seen.error());
    }
    if (*wait) {
        auto seen = co_await seen_by(api, request, *what);
        if (!seen) co_return net::problem_response(seen.error());
        const TimePoint until = api.gateway.clock().now() + **wait;
        snapshot = co_await api.gateway.wait_change(std::move(what->tenant), std::move(what->id),
                                                    seen->revision, seen->status_version, until);
    } else {
        snapshot = co_await api.gateway.get(std::move(what->tenant), std::move(what->id));
    }
    if (!snapshot) co_return net::problem_response(snapshot.error());
    if (is_current(request, *snapshot)) {
        net::Response unchanged;
        unchanged.status = 304;
        unchanged.with("ETag", etag_of(snapshot->invocation));
        co_return unchanged;
    }
    co_return document_response(200, *snapshot);
}

Answer get_attempts(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto snapshot = co_await api.gateway.get(std::move(what->tenant), std::move(what->id));
    if (!snapshot) co_return net::problem_response(snapshot.error());
    wire::Json attempts = wire::Json::array();
    for (const Attempt& attempt : snapshot->invocation.attempts)
        attempts.push(attempt_document(attempt));
    co_return net::json_response(200, wire::Json::object().set("attempts", std::move(attempts)));
}

Answer list_invocations(const Api& api, net::Request& request) {
    auto query = parse_list_query(api, request);
    if (!query) co_return net::problem_response(query.error());
    ListQuery wanted = std::move(*query);
    co_return co_await list_page(api, request, std::move(wanted));
}

Answer list_page(const Api& api, const net::Request& request, ListQuery wanted) {
    const std::uint32_t limit = wanted.limit;
    wanted.limit = limit + 1;  // one more tells whether there is a next page
    auto found = co_await api.gateway.list(std::move(wanted));
    if (!found) co_return net::problem_response(found.error());
    const bool more = found->size() > limit;
    if (more) found->resize(limit);
    wire::Json documents = wire::Json::array();
    for (const Snapshot& snapshot : *found) documents.push(invocation_document(snapshot));
    wire::Json page = wire::Json::object();
    page.set("invocations", std::move(documents));
    page.set("next_cursor", wire::Json());
    std::string next;
    if (more) {
        const std::string cursor =
            cursor_at({found->back().invocation.created_at, found->back().invocation.id});
        page.set("next_cursor", cursor);
        next = next_page(request, cursor);
    }
    net::Response response = net::json_response(200, page);
    if (more) response.with("Link", "<" + next + ">; rel=\"next\"");
    co_return response;
}

Answer count_invocations(const Api& api, net::Request& request) {
    auto query = parse_list_query(api, request);
    if (!query) co_return net::problem_response(query.error());
    auto count = co_await api.gateway.count(std::move(*query));
    if (!count) co_return net::problem_response(count.error());
    std::uint64_t total = 0;
    wire::Json by_state = wire::Json::object();
    for (const auto& [state, of_state] : *count) {
        total += of_state;
        by_state.set(to_string(state), of_state);
    }
    wire::Json answer = wire::Json::object();
    answer.set("count", total).set("by_state", std::move(by_state));
    co_return net::json_response(200, answer);
}

// {"ids": […]} -> the documents that there are, and the ids of those that are not.
Answer batch_get(const Api& api, net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) co_return net::problem_response(tenant.error());
    auto body = co_await net::read_json(request, api.options.document_max);
    if (!body) co_return net::problem_response(body.error());
    std::vector<std::string> ids;
    wire::ObjectReader reader{*body};
    reader.texts("ids", ids);
    reader.require("ids");
    if (ids.size() > api.options.batch_max)
        reader.fail("ids", "holds more than " + std::to_string(api.options.batch_max));
    if (auto done = reader.finish_strict(); !done) co_return net::problem_response(done.error());
    wire::Json documents = wire::Json::array();
    wire::Json unknown = wire::Json::array();
    for (const std::string& text : ids) {
        auto id = parse_invocation_id(text);
        if (!id) {
            unknown.push(text);
            continue;
        }
        TenantName of = *tenant;
        auto snapshot = co_await api.gateway.get(std::move(of), std::move(*id));
        if (snapshot)
            documents.push(invocation_document(*snapshot));
        else if (snapshot.error().code == Errc::not_found || snapshot.error().code == Errc::gone)
            unknown.push(text);
        else
            co_return net::problem_response(snapshot.error());
    }
    wire::Json answer = wire::Json::object();
    answer.set("invocations", std::move(documents));
    answer.set("unknown", std::move(unknown));
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::gateway::routes
