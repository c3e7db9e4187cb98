#include "host_agent/instances/agent_control.hpp"

#include "longhaul/wire/problem_json.hpp"

#include <utility>
#include <vector>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kAnswerMax = 8u << 20;

port::PeerRequest post(std::string target, const wire::Json& body) {
    port::PeerRequest request{"POST", std::move(target)};
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body.dump();
    return request;
}

StageTrace trace_of(const wire::Json& answer) {
    StageTrace trace;
    const wire::Json* stages = answer.find("trace");
    const wire::Json::Object* members = stages != nullptr ? stages->as_object() : nullptr;
    if (members == nullptr || members->size() > 32) return trace;
    for (const auto& [name, value] : *members)
        if (value.is_number()) trace.emplace_back(name, value.number());
    return trace;
}

}  // namespace

AgentControl::AgentControl(port::Peer& peer, Duration call_timeout)
    : peer_(peer), call_timeout_(call_timeout) {}

asio::awaitable<Result<std::string>> AgentControl::call(InstanceProcess process,
                                                        port::PeerRequest request, Duration limit) {
    request.headers.emplace_back("Authorization", "Bearer " + process.secret);
    auto response = co_await peer_.call(process.control_address, std::move(request), limit);
    if (!response) co_return response.error();
    auto body = co_await port::read_all(*response->body, kAnswerMax);
    if (!body) co_return body.error();
    if (response->status >= 300) co_return wire::error_from_problem(response->status, *body);
    co_return std::move(*body);
}

asio::awaitable<Result<void>> AgentControl::assign(InstanceProcess process,
                                                   wire::AssignRequest request) {
    port::PeerRequest message = post("/v1/assign", wire::to_json(request));
    auto answer = co_await call(std::move(process), std::move(message), call_timeout_);
    if (!answer) co_return answer.error();
    co_return Result<void>{};
}

asio::awaitable<Result<StageTrace>> AgentControl::load(InstanceProcess process,
                                                       wire::LoadRequest request, Duration limit) {
    port::PeerRequest message = post("/v1/load", wire::to_json(request));
    auto answer = co_await call(std::move(process), std::move(message), limit);
    if (!answer) co_return answer.error();
    auto json = wire::parse_json(*answer);
    if (!json) co_return json.error();
    co_return trace_of(*json);
}

asio::awaitable<Result<wire::InstanceStatus>> AgentControl::status(InstanceProcess process,
                                                                   std::optional<Duration> limit) {
    port::PeerRequest message{"GET", "/v1/status"};
    const Duration within = limit.value_or(call_timeout_);
    auto answer = co_await call(std::move(process), std::move(message), within);
    if (!answer) co_return answer.error();
    co_return wire::decode<wire::InstanceStatus>(*answer);
}

asio::awaitable<Result<wire::KillOutcome>> AgentControl::kill(InstanceProcess process,
                                                              wire::KillOrder order) {
    const std::vector<wire::KillOrder> orders{std::move(order)};
    port::PeerRequest message = post("/v1/kill", wire::to_json(orders));
    auto answer = co_await call(std::move(process), std::move(message), call_timeout_);
    if (!answer) co_return answer.error();
    auto answers = wire::decode<std::vector<wire::KillAnswer>>(*answer);
    if (!answers) co_return answers.error();
    if (answers->size() != 1)
        co_return make_error(Errc::internal, "the runtime agent answered a kill with " +
                                                 std::to_string(answers->size()) + " answers");
    co_return answers->front().outcome;
}

asio::awaitable<Result<void>> AgentControl::destroy(InstanceProcess process, Duration limit) {
    port::PeerRequest message = post("/v1/destroy", wire::Json::object());
    auto answer = co_await call(std::move(process), std::move(message), limit);
    if (!answer) co_return answer.error();
    co_return Result<void>{};
}

}  // namespace longhaul::host_agent
