#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/stop_wishes.hpp"
#include "longhaul/wire/problem_json.hpp"

namespace longhaul::gateway::routes {
namespace {

Answer stop_invocation(const Api& api, net::Request& request, StopCause cause) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    StopRequest stop;
    stop.id = what->id;
    stop.tenant = what->tenant;
    stop.cause = cause;
    stop.by = "api";
    auto wishes = co_await read_stop_wishes(api, request, stop);
    if (!wishes) co_return net::problem_response(wishes.error());
    auto snapshot = co_await api.gateway.stop_invocation(std::move(stop));
    if (snapshot)
        co_return document_response(is_terminal(snapshot->invocation.state) ? 200 : 202, *snapshot);
    if (snapshot.error().type != "already-finished")
        co_return net::problem_response(snapshot.error());
    // The problem carries the document, so that the caller learns how it ended.
    auto ended = co_await api.gateway.get(std::move(what->tenant), std::move(what->id));
    if (!ended) co_return net::problem_response(ended.error());
    wire::Json problem = wire::problem(snapshot.error());
    problem.set("invocation", invocation_document(*ended));
    net::Response response = net::json_response(409, problem);
    response.headers.front().second = "application/problem+json";
    co_return response;
}

}  // namespace

Answer cancel_invocation(const Api& api, net::Request& request) {
    return stop_invocation(api, request, StopCause::cancel);
}

Answer kill_invocation(const Api& api, net::Request& request) {
    return stop_invocation(api, request, StopCause::kill);
}

}  // namespace longhaul::gateway::routes
