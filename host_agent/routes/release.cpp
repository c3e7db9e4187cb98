#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

// {proto, shard, owner_term, invocation, attempt}: as one acknowledgement.
Answer release(const Handles& handles, net::Request& request) {
    auto message = co_await read_message<std::vector<wire::Ack>>(request);
    if (!message) co_return net::problem_response(message.error());
    for (const wire::Ack& item : *message) {
        const wire::Owner owner = item.owner;
        wire::AttemptKey key = item.key;
        auto done = co_await handles.kills.release(owner, std::move(key));
        if (!done) co_return net::problem_response(done.error());
    }
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::host_agent::routes
