#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/submit_options.hpp"

namespace longhaul::gateway::routes {
namespace {

// The function's own bytes, or the document of any other end (PROTOCOL.md, "Waiting").
Answer ended_response(const Api& api, Snapshot snapshot) {
    std::string timing = server_timing(snapshot.invocation);
    const bool has_bytes =
        snapshot.invocation.state == State::succeeded && snapshot.invocation.result.has_value();
    if (!has_bytes) {
        net::Response document = document_response(200, snapshot);
        if (!timing.empty()) document.with("Server-Timing", std::move(timing));
        co_return document;
    }
    Content content = *snapshot.invocation.result;
    const std::uint64_t size = content.size;
    std::string content_type =
        content.content_type.empty() ? "application/octet-stream" : content.content_type;
    auto stream = co_await api.gateway.read_result(std::move(content), 0, size);
    if (!stream) co_return net::problem_response(stream.error());
    net::Response response;
    response.with("Content-Type", std::move(content_type));
    response.with("Invocation-Id", snapshot.invocation.id.text);
    response.with("Invocation-Status", std::string(to_string(snapshot.invocation.state)));
    if (!timing.empty()) response.with("Server-Timing", std::move(timing));
    response.stream = std::move(*stream);
    response.stream_bytes = size;
    co_return response;
}

void add_preferences(const SubmitHeaders& headers, net::Response& response) {
    std::string applied;
    if (headers.respond_async) applied = "respond-async";
    if (headers.wait) {
        if (!applied.empty()) applied += ", ";
        applied +=
            "wait=" +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*headers.wait).count());
    }
    if (applied.empty()) return;
    response.with("Preference-Applied", std::move(applied));
    response.with("Vary", "Prefer");
}

Answer accepted_response(const Api& api, SubmitHeaders headers, TenantName tenant,
                         Submitted submitted, bool is_put) {
    const TimePoint until = api.gateway.clock().now() + headers.wait.value_or(Duration::zero());
    InvocationId id = submitted.id;
    Result<Snapshot> snapshot = make_error(Errc::internal, "not read");
    if (headers.wait)
        snapshot = co_await api.gateway.wait_end(std::move(tenant), std::move(id), until);
    else
        snapshot = co_await api.gateway.get(std::move(tenant), std::move(id));
    if (!snapshot) co_return net::problem_response(snapshot.error());
    const bool ended = is_terminal(snapshot->invocation.state);
    net::Response response;
    if (headers.wait && ended) {
        response = co_await ended_response(api, std::move(*snapshot));
    } else {
        const bool known = submitted.replayed && (is_put || ended);
        response = document_response(known ? 200 : 202, *snapshot);
    }
    response.with("Location", path_of(submitted.id));
    if (submitted.replayed) response.with("Idempotency-Replayed", "true");
    add_preferences(headers, response);
    co_return response;
}

Answer submit_as(const Api& api, net::Request& request, std::optional<InvocationId> chosen_id) {
    auto tenant = tenant_of(api, request);
    if (!tenant) co_return net::problem_response(tenant.error());
    auto function = function_of(request);
    if (!function) co_return net::problem_response(function.error());
    auto headers = parse_submit_headers(request, api.gateway.clock().now(), api.options);
    if (!headers) co_return net::problem_response(headers.error());

    SubmitInput input;
    input.tenant = *tenant;
    input.function = std::move(*function);
    input.chosen_id = std::move(chosen_id);
    input.content_type = std::string(request.header("Content-Type").value_or(""));
    input.options = headers->options;
    input.options_text = headers->options_text;
    input.content_length = request.content_length;
    input.body = request.body;
    const bool is_put = input.chosen_id.has_value();
    auto submitted = co_await api.gateway.submit(std::move(input));
    if (!submitted) co_return net::problem_response(submitted.error());
    SubmitHeaders accepted = std::move(*headers);
    TenantName of = std::move(*tenant);
    Submitted what = std::move(*submitted);
    co_return co_await accepted_response(api, std::move(accepted), std::move(of), std::move(what),
                                         is_put);
}

}  // namespace

Answer submit(const Api& api, net::Request& request) {
    std::optional<InvocationId> none;
    co_return co_await submit_as(api, request, std::move(none));
}

Answer submit_with_id(const Api& api, net::Request& request) {
    auto id = id_of(request);
    if (!id) co_return net::problem_response(id.error());
    std::optional<InvocationId> chosen = std::move(*id);
    co_return co_await submit_as(api, request, std::move(chosen));
}

}  // namespace longhaul::gateway::routes
