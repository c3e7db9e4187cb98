#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

Answer status(const Handles& handles, net::Request& request) {
    auto message = co_await read_message<wire::StatusQuery>(request);
    if (!message) co_return net::problem_response(message.error());
    wire::StatusQuery to_hear = *message;
    auto silent = co_await handles.leases.hear_of(std::move(to_hear));
    auto answer = co_await answer_status(handles.ledger, handles.host, std::move(*message),
                                         std::move(silent));
    if (!answer) co_return net::problem_response(answer.error());
    co_return net::json_response(200, wire::to_json(*answer));
}

}  // namespace longhaul::host_agent::routes
