#include "longhaul/wire/instance_control.hpp"
#include "runtime_agent_ext/api/routes.hpp"
#include "runtime_agent_ext/driver/handle.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

using Answer = boost::asio::awaitable<net::Response>;

constexpr std::uint64_t kControlBodyMax = 4u << 20;  // bytes: a load carries the function's env
// Above any load timeout and the killing of a tree: those have limits of their own.
constexpr Duration kLongCall = std::chrono::hours(24);

Answer assign(Agent& agent, net::Request& request) {
    auto json = co_await net::read_json(request, kControlBodyMax);
    if (!json) co_return net::problem_response(json.error());
    auto message = wire::decode_assign(*json);
    if (!message) co_return net::problem_response(message.error());
    auto done = agent.assign(std::move(*message));
    if (!done) co_return net::problem_response(done.error());
    co_return net::json_response(200, wire::Json::object());
}

Answer load(Agent& agent, net::Request& request) {
    auto text = co_await port::read_all(*request.body, kControlBodyMax);
    if (!text) co_return net::problem_response(text.error());
    auto message = wire::decode<wire::LoadRequest>(*text);
    if (!message) co_return net::problem_response(message.error());
    auto loaded = co_await agent.load(std::move(*message));
    if (!loaded) {
        net::Response refusal = net::problem_response(loaded.error());
        if (loaded.error().type == "load-failed") refusal.status = 422;
        co_return refusal;
    }
    wire::Json trace = wire::Json::object();
    for (const auto& [stage, milliseconds] : *loaded) trace.set(stage, milliseconds);
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("state", agent.status().state);
    answer.set("trace", std::move(trace));
    co_return net::json_response(200, answer);
}

Answer status(Agent& agent, net::Request&) {
    co_return net::json_response(200, wire::to_json(agent.status()));
}

Answer kill(Agent& agent, net::Request& request) {
    auto text = co_await port::read_all(*request.body, kControlBodyMax);
    if (!text) co_return net::problem_response(text.error());
    auto orders = wire::decode<std::vector<wire::KillOrder>>(*text);
    if (!orders) co_return net::problem_response(orders.error());
    std::vector<wire::KillAnswer> answers;
    for (const wire::KillOrder& order : *orders) answers.push_back(agent.kill(order));
    co_return net::json_response(200, wire::to_json(answers));
}

Answer drain(Agent& agent, net::Request&) {
    agent.drain();
    co_return net::json_response(202, wire::to_json(agent.status()));
}

Answer destroy(Agent& agent, net::Request&) {
    const bool gone = co_await agent.destroy();
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("tree_gone", gone);
    co_return net::json_response(200, answer);
}

}  // namespace

std::vector<net::Route> control_routes(Agent& agent) {
    const auto route = [&agent](std::string method, std::string pattern,
                                Answer (*handler)(Agent&, net::Request&)) {
        net::Route result;
        result.method = std::move(method);
        result.pattern = std::move(pattern);
        result.handler = [&agent, handler](net::Request& request) {
            return handler(agent, request);
        };
        result.body_max = kControlBodyMax;
        result.deadline = kLongCall;
        return result;
    };
    return {route("POST", "/v1/assign", assign), route("POST", "/v1/load", load),
            route("GET", "/v1/status", status),  route("POST", "/v1/kill", kill),
            route("POST", "/v1/drain", drain),   route("POST", "/v1/destroy", destroy)};
}

}  // namespace longhaul::runtime_agent_ext
