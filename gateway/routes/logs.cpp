#include "gateway/routes/handlers.hpp"
#include "gateway/routes/log_stream.hpp"
#include "longhaul/net/sse.hpp"

namespace longhaul::gateway::routes {

Answer get_logs(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto query = parse_log_query(request);
    if (!query) co_return net::problem_response(query.error());
    TenantName tenant = what->tenant;
    InvocationId id = what->id;
    auto snapshot = co_await api.gateway.get(std::move(tenant), std::move(id));
    if (!snapshot) co_return net::problem_response(snapshot.error());

    auto reader = std::make_unique<LogReader>(api, *what, *query);
    if (query->format == LogFormat::sse) co_return net::sse_response(std::move(reader));
    // The first piece decides: a host that cannot be reached is a problem, not an empty log.
    net::Response response;
    if (!query->follow) {
        auto first = co_await reader->read();
        if (!first) co_return net::problem_response(first.error());
        response.body = std::move(*first);
    }
    response.with("Content-Type", query->format == LogFormat::ndjson ? "application/x-ndjson"
                                                                     : "text/plain; charset=utf-8");
    response.with("Cache-Control", "no-store");
    response.with("X-Accel-Buffering", "no");
    if (!query->follow) {
        auto whole = co_await port::read_all(*reader, std::uint64_t{64} << 20);
        if (!whole) co_return net::problem_response(whole.error());
        response.body += *whole;
        co_return response;
    }
    response.stream = std::move(reader);
    co_return response;
}

}  // namespace longhaul::gateway::routes
