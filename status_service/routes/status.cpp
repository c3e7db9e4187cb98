#include "status_service/routes/table.hpp"

namespace longhaul::status_service::routes {

Answer status(const Handles& handles, net::Request& request) {
    auto text = co_await port::read_all(*request.body, 1u << 20);
    if (!text) co_return net::problem_response(text.error());
    auto query = wire::decode<wire::StatusQuery>(*text);
    if (!query) co_return net::problem_response(query.error());
    if (query->snapshot || query->since || query->digest)
        co_return net::problem_response(make_error(
            Errc::invalid_argument, "snapshot, since, digest: only the host itself can answer"));
    co_return net::json_response(200, wire::to_json(handles.projection.last_known(*query)));
}

}  // namespace longhaul::status_service::routes
