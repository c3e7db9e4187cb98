#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"

namespace longhaul::gateway::routes {

Answer list_hosts(const Api& api, net::Request&) {
    wire::Json hosts = wire::Json::array();
    for (const auto& [id, host] : api.gateway.scheduler().hosts().all())
        hosts.push(host_document(host, api.gateway.clock().now()));
    co_return net::json_response(200, wire::Json::object().set("hosts", std::move(hosts)));
}

Answer get_limits(const Api& api, net::Request&) {
    const Scheduler& scheduler = api.gateway.scheduler();
    wire::Json limits = wire::Json::object();
    limits.set("global_max", std::uint64_t{scheduler.run_limits().global_max});
    limits.set("tenant_max", std::uint64_t{scheduler.run_limits().tenant_max});
    limits.set("queued_bytes_max", api.gateway.limits().scheduler.queued_bytes_max);
    limits.set("queued_max", std::uint64_t{api.gateway.limits().scheduler.queued_max});
    limits.set("running", std::uint64_t{scheduler.running_count()});
    limits.set("queued", std::uint64_t{scheduler.waiting_count()});
    limits.set("queued_bytes", scheduler.waiting_bytes());
    co_return net::json_response(200, limits);
}

// Internal: what a status service without a bus pushes: {"subject": …, "payload": …}.
Answer take_status(const Api& api, net::Request& request) {
    auto body = co_await net::read_json(request, std::uint64_t{8} << 20);
    if (!body) co_return net::problem_response(body.error());
    std::string subject;
    std::string payload;
    wire::ObjectReader reader{*body};
    reader.text("subject", subject);
    reader.text("payload", payload);
    reader.require("subject");
    reader.require("payload");
    if (auto done = reader.finish(); !done) co_return net::problem_response(done.error());
    api.gateway.take_status(subject, payload);
    net::Response response;
    response.status = 204;
    co_return response;
}

}  // namespace longhaul::gateway::routes
