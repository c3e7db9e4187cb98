#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "longhaul/wire/function_json.hpp"

namespace longhaul::gateway::routes {
namespace {

struct Named {
    TenantName tenant;
    FunctionName name;
};

Result<Named> named(const Api& api, const net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) return tenant.error();
    auto name = function_of(request);
    if (!name) return name.error();
    return Named{std::move(*tenant), std::move(*name)};
}

Error no_such_function(const FunctionName& name) {
    return make_error(Errc::not_found, "there is no function \"" + name.text + "\"",
                      "unknown-function");
}

Answer set_paused(const Api& api, net::Request& request, bool paused) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    TenantName tenant = what->tenant;
    FunctionName name = what->name;
    auto done = co_await api.gateway.pause(std::move(tenant), std::move(name), paused);
    if (!done) co_return net::problem_response(done.error());
    co_return co_await get_queue(api, request);
}

}  // namespace

Answer list_functions(const Api& api, net::Request& request) {
    auto tenant = tenant_of(api, request);
    if (!tenant) co_return net::problem_response(tenant.error());
    wire::Json functions = wire::Json::array();
    for (const auto& [key, queue] : api.gateway.scheduler().functions())
        if (key.first == *tenant && queue.current) functions.push(function_document(queue));
    co_return net::json_response(200, wire::Json::object().set("functions", std::move(functions)));
}

Answer get_function(const Api& api, net::Request& request) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    const FunctionQueue* queue = api.gateway.scheduler().function(what->tenant, what->name);
    if (!queue) co_return net::problem_response(no_such_function(what->name));
    co_return net::json_response(200, function_document(*queue));
}

Answer put_function(const Api& api, net::Request& request) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto body = co_await net::read_json(request, api.options.document_max);
    if (!body) co_return net::problem_response(body.error());
    if (!body->as_object())
        co_return net::problem_response(
            make_error(Errc::invalid_argument, "the function document is no JSON object"));
    if (const wire::Json* name = body->find("name"))
        if (!name->as_string() || *name->as_string() != what->name.text)
            co_return net::problem_response(
                make_error(Errc::invalid_argument,
                           "name: differs from the name in the path, \"" + what->name.text + "\""));
    body->set("name", what->name.text);
    auto function =
        wire::parse_function(*body, wire::Strictness::public_api, api.options.timeout_max);
    if (!function) co_return net::problem_response(function.error());
    if (function->mode == FunctionMode::handler && function->package.empty())
        co_return net::problem_response(
            make_error(Errc::invalid_argument, "package: a function of mode handler needs one"));
    if (!function->package.empty()) {
        Digest digest = function->package;
        auto there = co_await api.gateway.has_package(std::move(digest));
        if (!there) co_return net::problem_response(there.error());
        if (!*there)
            co_return net::problem_response(make_error(
                Errc::invalid_argument,
                "package: there is no package " + function->package.text +
                    "; upload it first: POST /v1/functions/" + what->name.text + "/versions",
                "unknown-package"));
    }
    TenantName tenant = what->tenant;
    FunctionSpec spec = std::move(*function);
    auto is_new = co_await api.gateway.put_function(std::move(tenant), std::move(spec));
    if (!is_new) co_return net::problem_response(is_new.error());
    const FunctionQueue* queue = api.gateway.scheduler().function(what->tenant, what->name);
    if (!queue) co_return net::problem_response(no_such_function(what->name));
    co_return net::json_response(*is_new ? 201 : 200, function_document(*queue));
}

Answer delete_function(const Api& api, net::Request& request) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto done =
        co_await api.gateway.delete_function(std::move(what->tenant), std::move(what->name));
    if (!done) co_return net::problem_response(done.error());
    net::Response response;
    response.status = 204;
    co_return response;
}

// A package: stored under its digest; a function document then refers to it.
Answer upload_version(const Api& api, net::Request& request) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto package = co_await api.gateway.upload_package(request.content_length, *request.body);
    if (!package) co_return net::problem_response(package.error());
    wire::Json answer = wire::Json::object();
    answer.set("package", package->digest.text);
    answer.set("size", package->size);
    co_return net::json_response(package->is_new ? 201 : 200, answer);
}

Answer get_queue(const Api& api, net::Request& request) {
    auto what = named(api, request);
    if (!what) co_return net::problem_response(what.error());
    const Scheduler& scheduler = api.gateway.scheduler();
    const FunctionQueue* queue = scheduler.function(what->tenant, what->name);
    if (!queue) co_return net::problem_response(no_such_function(what->name));
    co_return net::json_response(200, queue_document(*queue, scheduler, api.gateway.clock().now()));
}

Answer pause_queue(const Api& api, net::Request& request) { return set_paused(api, request, true); }

Answer resume_queue(const Api& api, net::Request& request) {
    return set_paused(api, request, false);
}

}  // namespace longhaul::gateway::routes
