#include "status_service/routes/table.hpp"

namespace longhaul::status_service::routes {

Answer reports(const Handles& handles, net::Request& request) {
    auto text = co_await port::read_all(*request.body, handles.report_bytes_max);
    if (!text) co_return net::problem_response(text.error());
    auto report = wire::decode<wire::Report>(*text);
    if (!report) co_return net::problem_response(report.error());
    auto answer = handles.projection.report(std::move(*report));
    if (!answer) co_return net::problem_response(answer.error());
    co_return net::json_response(200, wire::to_json(*answer));
}

}  // namespace longhaul::status_service::routes
