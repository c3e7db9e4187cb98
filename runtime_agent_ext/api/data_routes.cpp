#include "longhaul/wire/run_headers.hpp"
#include "runtime_agent_ext/api/routes.hpp"
#include "runtime_agent_ext/driver/handle.hpp"

#include <charconv>
#include <memory>
#include <optional>

namespace longhaul::runtime_agent_ext {
namespace {

namespace headers = wire::run_headers;

constexpr Duration kBodyLimit = std::chrono::minutes(10);  // of a whole body
constexpr std::int64_t kTimeoutMaxMs = std::int64_t{7} * 24 * 3600 * 1000;

Error bad_header(std::string_view name, std::string_view what) {
    return make_error(Errc::invalid_argument,
                      "header " + std::string(name) + " " + std::string(what));
}

std::string text_of(const net::Request& request, std::string_view name) {
    return std::string(request.header(name).value_or(""));
}

// A whole number within bounds; nothing where the header is missing.
Result<std::optional<std::int64_t>> number_of(const net::Request& request, std::string_view name,
                                              std::int64_t min, std::int64_t max) {
    const auto text = request.header(name);
    if (!text) return std::optional<std::int64_t>{};
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size() || value < min ||
        value > max)
        return bad_header(name, "must be a whole number from " + std::to_string(min) + " to " +
                                    std::to_string(max));
    return std::optional<std::int64_t>{value};
}

Result<RunOrder> order_of(const net::Request& request) {
    RunOrder order;
    auto id = parse_invocation_id(request.header(headers::kInvocation).value_or(""));
    if (!id) return bad_header(headers::kInvocation, "is no invocation id: " + id.error().message);
    order.key.invocation = std::move(*id);
    auto attempt = number_of(request, headers::kAttempt, 1, 1'000'000);
    if (!attempt) return attempt.error();
    auto timeout = number_of(request, headers::kTimeoutMs, 1, kTimeoutMaxMs);
    if (!timeout) return timeout.error();
    auto grace = number_of(request, headers::kGraceMs, 0, kTimeoutMaxMs);
    if (!grace) return grace.error();
    auto deadline = number_of(request, headers::kDeadlineMs, 0, INT64_MAX / 1000 / 2);
    if (!deadline) return deadline.error();
    auto shard = number_of(request, headers::kShard, 0, 4095);
    if (!shard) return shard.error();
    auto owner_term = number_of(request, headers::kOwnerTerm, 0, INT64_MAX);
    if (!owner_term) return owner_term.error();
    order.token.text = text_of(request, headers::kToken);
    if (order.token.empty()) return bad_header(headers::kToken, "is missing");
    if (!*attempt) return bad_header(headers::kAttempt, "is missing");
    if (!*timeout) return bad_header(headers::kTimeoutMs, "is missing");
    order.key.attempt = static_cast<AttemptNumber>(**attempt);
    order.shard = static_cast<Shard>(shard->value_or(0));
    order.owner_term = static_cast<OwnerTerm>(owner_term->value_or(0));
    order.timeout = std::chrono::milliseconds(**timeout);
    if (*grace) order.timeout_grace = std::chrono::milliseconds(**grace);
    if (*deadline) order.deadline = std::chrono::milliseconds(**deadline);
    return order;
}

// All of the body, proven: as long as announced, and of the announced digest. A body that stops
// half way is an error of its source.
boost::asio::awaitable<Result<Body>> read_body(Agent& agent, net::Request& request) {
    if (!request.content_length)
        co_return make_error(Errc::invalid_argument, "a Content-Length is required",
                             "length-required");
    Body body = agent.new_body(text_of(request, headers::kBodySha256));
    for (;;) {
        auto chunk = co_await request.body->read();
        if (!chunk) co_return chunk.error();
        if (chunk->empty()) break;
        if (auto done = body.append(*chunk); !done) co_return done.error();
    }
    if (auto whole = body.finish(*request.content_length); !whole) co_return whole.error();
    co_return body;
}

boost::asio::awaitable<net::Response> start(Agent& agent, net::Request& request) {
    const std::string_view authorization = request.header("Authorization").value_or("");
    constexpr std::string_view kBearer = "Bearer ";
    if (!authorization.starts_with(kBearer) ||
        !agent.run_token_allows(authorization.substr(kBearer.size()),
                                request.header(headers::kInvocation).value_or(""))) {
        net::Response refusal = net::problem_response(make_error(
            Errc::refused, "the run token is not the one for the next run", "unauthorized"));
        refusal.status = 401;
        co_return refusal;
    }
    auto order = order_of(request);
    if (!order) co_return net::problem_response(order.error());
    order->run_token = std::string(authorization.substr(kBearer.size()));
    auto body = co_await read_body(agent, request);
    if (!body) co_return net::problem_response(body.error());

    auto input = std::make_unique<RunInput>();
    input->order = std::move(*order);
    input->body = std::move(*body);
    input->content_type = text_of(request, headers::kContentType);
    input->traceparent = text_of(request, headers::kTraceparent);
    input->headers_json = text_of(request, headers::kHeaders);
    input->labels_json = text_of(request, headers::kLabels);
    auto started = agent.start(std::move(input));
    if (!started) co_return net::problem_response(started.error());
    co_return net::json_response(started->is_new ? 202 : 200, wire::to_json(started->entry));
}

}  // namespace

std::vector<net::Route> data_routes(Agent& agent) {
    net::Route route;
    route.method = "POST";
    route.pattern = "/v1/invocations";
    route.handler = [&agent](net::Request& request) { return start(agent, request); };
    route.body_max = agent.body_bytes_max();
    route.deadline = kBodyLimit;
    return {std::move(route)};
}

}  // namespace longhaul::runtime_agent_ext
