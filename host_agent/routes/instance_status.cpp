#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

Answer instance_status(const Handles& handles, net::Request& request) {
    InstanceId from{request.param("id")};
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view given = request.header("Authorization").value_or("");
    const bool known = handles.ledger.core().instance(from) != nullptr;
    const bool itself = given.starts_with(kScheme) &&
                        handles.status.is_secret_of(from, given.substr(kScheme.size()));
    if (known && !itself) {
        net::Response refusal = net::problem_response(
            make_error(Errc::refused, "not the secret of this instance", "unauthorized"));
        refusal.status = 401;
        co_return refusal;
    }
    auto message = co_await read_message<wire::InstanceStatus>(request);
    if (!message) co_return net::problem_response(message.error());
    auto answer = co_await handles.status.heard(std::move(from), std::move(*message));
    if (!answer) co_return net::problem_response(answer.error());
    co_return net::json_response(200, wire::to_json(*answer));
}

}  // namespace longhaul::host_agent::routes
