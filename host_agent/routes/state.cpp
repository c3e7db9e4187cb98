#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {

Answer state(const Handles& handles, net::Request&) {
    wire::Json answer = describe(handles.ledger.core());
    answer.set("proto", wire::kProto);
    answer.set("host", handles.host.text);
    answer.set("draining", handles.ledger.core().drain() != nullptr);
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::host_agent::routes
