#include "gateway/routes/handlers.hpp"

namespace longhaul::gateway::routes {
namespace {

wire::Json text_or_null(const std::string& text) {
    return text.empty() ? wire::Json() : wire::Json(text);
}

wire::Json instance_document(const InstanceInfo& info) {
    wire::Json busy_with;
    if (info.busy_with)
        busy_with = wire::Json::object()
                        .set("invocation", info.busy_with->first.text)
                        .set("attempt", info.busy_with->second);
    return wire::Json::object()
        .set("instance", info.id.text)
        .set("host", info.host.text)
        .set("state", text_or_null(info.state))
        .set("function", text_or_null(info.function))
        .set("tenant", text_or_null(info.tenant))
        .set("version", text_or_null(info.version))
        .set("concurrency", info.concurrency)
        .set("running", info.running)
        .set("busy_with", std::move(busy_with))
        .set("memory_mb", info.memory_mb)
        .set("idle_since", text_or_null(info.idle_since));
}

}  // namespace

Answer list_instances(const Api& api, net::Request&) {
    const InstanceList list = co_await api.gateway.instances();
    wire::Json instances = wire::Json::array();
    for (const InstanceInfo& info : list.instances) instances.push(instance_document(info));
    wire::Json unreachable = wire::Json::array();
    for (const HostId& host : list.unreachable) unreachable.push(host.text);
    wire::Json answer = wire::Json::object();
    answer.set("instances", std::move(instances));
    answer.set("unreachable", std::move(unreachable));
    co_return net::json_response(200, answer);
}

}  // namespace longhaul::gateway::routes
