#include "status_service/routes/table.hpp"

namespace longhaul::status_service::routes {
namespace {

constexpr std::uint64_t kOrderMax = 64 * 1024;

}  // namespace

Answer hosts(const Handles& handles, net::Request&) {
    wire::Json items = wire::Json::array();
    for (const wire::HostAnnouncement& host : handles.projection.hosts()) {
        wire::Json item = wire::to_json(host);
        item.set("heard_at", format_rfc3339(handles.projection.heard_at(host.host)));
        item.set("last_heard_ms_ago", to_ms(handles.projection.silence(host.host)));
        items.push(std::move(item));
    }
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("hosts", std::move(items));
    co_return net::json_response(200, answer);
}

// {"drain": true | false}: ordered in the answer to the host's next report.
Answer drain_host(const Handles& handles, net::Request& request) {
    auto message = co_await net::read_json(request, kOrderMax);
    if (!message) co_return net::problem_response(message.error());
    bool drain = true;
    wire::ObjectReader reader(*message);
    reader.boolean("drain", drain);
    if (auto done = reader.finish(); !done) co_return net::problem_response(done.error());
    const HostId host{request.param("host")};
    auto ordered = handles.projection.order_drain(host, drain);
    if (!ordered) co_return net::problem_response(ordered.error());
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("host", host.text);
    answer.set("drain", drain);
    co_return net::json_response(202, answer);
}

}  // namespace longhaul::status_service::routes
