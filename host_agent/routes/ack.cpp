#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

Answer ack(const Handles& handles, net::Request& request) {
    auto message = co_await read_message<std::vector<wire::Ack>>(request);
    if (!message) co_return net::problem_response(message.error());
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("known", static_cast<std::uint64_t>(handles.kills.ack(*message)));
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::host_agent::routes
