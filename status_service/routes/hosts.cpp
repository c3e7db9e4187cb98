#include "status_service/routes/table.hpp"

namespace longhaul::status_service::routes {

Answer hosts(const Handles& handles, net::Request&) {
    wire::Json items = wire::Json::array();
    for (const wire::HostAnnouncement& host : handles.projection.hosts()) {
        wire::Json item = wire::to_json(host);
        item.set("heard_at", format_rfc3339(handles.projection.heard_at(host.host)));
        item.set("heard_ms_ago", to_ms(handles.projection.silence(host.host)));
        items.push(std::move(item));
    }
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("hosts", std::move(items));
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::status_service::routes
