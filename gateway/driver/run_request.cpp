#include "gateway/driver/run_request.hpp"

#include "longhaul/wire/json.hpp"
#include "longhaul/wire/problem_json.hpp"
#include "longhaul/wire/run_headers.hpp"

namespace longhaul::gateway {
namespace {

std::string object_of(const std::vector<std::pair<std::string, std::string>>& members) {
    wire::Json object = wire::Json::object();
    for (const auto& [name, value] : members) object.set(name, value);
    return object.dump();
}

}  // namespace

port::PeerRequest run_request(const StartEffect& effect, const std::string& run_token,
                              OwnerTerm owner_term, std::int64_t deadline_ms_left) {
    namespace names = wire::run_headers;
    port::PeerRequest request;
    request.method = "POST";
    request.target = "/v1/invocations";
    const auto add = [&request](std::string_view name, std::string value) {
        request.headers.emplace_back(std::string(name), std::move(value));
    };
    add("Authorization", "Bearer " + run_token);
    add(names::kInvocation, effect.id.text);
    add(names::kAttempt, std::to_string(effect.attempt));
    add(names::kToken, effect.token.text);
    add(names::kShard, "0");
    add(names::kOwnerTerm, std::to_string(owner_term));
    add(names::kTimeoutMs, std::to_string(to_ms(effect.timeout)));
    add(names::kGraceMs, std::to_string(to_ms(effect.function->timeout_grace)));
    add(names::kDeadlineMs, std::to_string(deadline_ms_left));
    add(names::kBodySha256, effect.body.sha256);
    if (!effect.body.content_type.empty()) add(names::kContentType, effect.body.content_type);
    if (!effect.traceparent.empty()) add(names::kTraceparent, effect.traceparent);
    if (!effect.headers.empty()) add(names::kHeaders, object_of(effect.headers));
    if (!effect.labels.empty()) add(names::kLabels, object_of(effect.labels));
    request.body = effect.body.inline_bytes;
    return request;
}

boost::asio::awaitable<Result<std::string>> call_for_json(port::Peer& peer, std::string address,
                                                          port::PeerRequest request, Duration limit,
                                                          std::uint64_t bytes_max) {
    if (!request.body.empty() && request.target != "/v1/invocations")
        request.headers.emplace_back("Content-Type", "application/json");
    auto response = co_await peer.call(std::move(address), std::move(request), limit);
    if (!response) co_return response.error();
    auto body = co_await port::read_all(*response->body, bytes_max);
    if (!body) {
        // The header came, so it was sent: what it did is unsure.
        co_return make_error(Errc::timed_out, body.error().message);
    }
    if (response->status < 200 || response->status > 299)
        co_return wire::error_from_problem(response->status, *body);
    co_return std::move(*body);
}

}  // namespace longhaul::gateway
