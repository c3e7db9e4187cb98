#include "gateway/routes/api.hpp"

#include "gateway/routes/document.hpp"

namespace longhaul::gateway {

Result<TenantName> tenant_of(const Api& api, const net::Request& request) {
    const auto header = request.header("Invocation-Tenant");
    if (!header || !api.options.trust_tenant_header) return TenantName{"default"};
    auto tenant = parse_tenant_name(*header);
    if (!tenant)
        return make_error(Errc::invalid_argument, "Invocation-Tenant: " + tenant.error().message,
                          "invalid-header");
    return tenant;
}

Result<InvocationId> id_of(const net::Request& request) {
    auto id = parse_invocation_id(request.param("id"));
    if (!id) return make_error(Errc::invalid_argument, id.error().message, "invalid-id");
    return id;
}

Result<FunctionName> function_of(const net::Request& request) {
    auto name = parse_function_name(request.param("fn"));
    if (!name) return make_error(Errc::invalid_argument, name.error().message, "invalid-name");
    return name;
}

Result<Addressed> addressed(const Api& api, const net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) return tenant.error();
    auto id = id_of(request);
    if (!id) return id.error();
    return Addressed{std::move(*tenant), std::move(*id)};
}

Result<std::optional<Duration>> duration_query(const net::Request& request, std::string_view name,
                                               Duration max) {
    const auto text = request.query_value(name);
    if (!text) return std::optional<Duration>{};
    auto duration = parse_duration(*text);
    if (!duration)
        return make_error(Errc::invalid_argument,
                          "query " + std::string(name) + ": " + duration.error().message,
                          "invalid-parameter");
    return std::optional<Duration>{std::min(*duration, max)};
}

Error unknown_parameter(std::string_view name) {
    return make_error(Errc::invalid_argument,
                      "query " + std::string(name) + ": there is no such parameter here",
                      "invalid-parameter");
}

net::Response document_response(int status, const Snapshot& snapshot) {
    net::Response response = net::json_response(status, invocation_document(snapshot));
    response.with("ETag", etag_of(snapshot.invocation));
    response.with("Cache-Control", "no-store");
    response.with("Invocation-Id", snapshot.invocation.id.text);
    response.with("Invocation-Status", std::string(to_string(snapshot.invocation.state)));
    if (!is_terminal(snapshot.invocation.state))
        response.with("Retry-After", retry_after(snapshot));
    return response;
}

}  // namespace longhaul::gateway
