#include "gateway/routes/table.hpp"

#include "gateway/routes/handlers.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::gateway {
namespace {

using HandlerFunction = routes::Answer (*)(const Api&, net::Request&);

constexpr Duration kPlain = std::chrono::seconds(30);
constexpr Duration kBulk = std::chrono::minutes(2);  // which limits itself, but for one item
constexpr Duration kEndless = Duration::zero();      // waits, streams and uploads limit themselves
constexpr const char* kReadByHandler = "*";          // it refuses by itself what it does not know

struct Row {
    const char* method;
    const char* pattern;
    HandlerFunction handler;
    std::uint64_t body_max;
    Duration deadline;
    const char* parameters = "";  // of the query, a space between them
};

bool has_word(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        const auto end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == word) return true;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

// The first parameter of the query that the route does not take.
std::optional<std::string> unknown_in(const net::Request& request, std::string_view known) {
    if (known == kReadByHandler) return std::nullopt;
    for (const auto& [name, value] : request.query)
        if (!has_word(known, name)) return name;
    return std::nullopt;
}

routes::Answer refuse_parameter(std::string name) {
    co_return net::problem_response(unknown_parameter(name));
}

net::Route route(const Api& api, const Row& entry) {
    net::Route made;
    made.method = entry.method;
    made.pattern = entry.pattern;
    made.handler = [&api, handler = entry.handler,
                    known = entry.parameters](net::Request& request) {
        auto unknown = unknown_in(request, known);
        return unknown ? refuse_parameter(std::move(*unknown)) : handler(api, request);
    };
    made.body_max = entry.body_max;
    made.deadline = entry.deadline;
    return made;
}

template <std::size_t count>
std::vector<net::Route> routes_of(const Api& api, const Row (&entries)[count]) {
    std::vector<net::Route> made;
    for (const Row& entry : entries) made.push_back(route(api, entry));
    return made;
}

}  // namespace

std::vector<net::Route> public_routes(const Api& api) {
    using namespace routes;
    const std::uint64_t json = api.options.document_max;
    // The function's own body_max is checked by the handler, before the body is read.
    const std::uint64_t body = std::uint64_t{1} << 40;
    const std::uint64_t package = api.gateway.limits().package_max;
    const Row entries[] = {
        // Submit.
        {"POST", "/v1/functions/{fn}/invocations", submit, body, kEndless},
        {"PUT", "/v1/functions/{fn}/invocations/{id}", submit_with_id, body, kEndless},
        {"POST", "/v1/invocations:batch", submit_batch, api.options.submits_bytes_max, kBulk},
        // Read.
        {"GET", "/v1/invocations", list_invocations, json, kPlain, kReadByHandler},
        {"GET", "/v1/invocations:count", count_invocations, json, kPlain, kReadByHandler},
        {"POST", "/v1/invocations:batchGet", batch_get, json, kPlain},
        {"GET", "/v1/invocations/{id}", get_invocation, json, kEndless, "wait revision"},
        {"GET", "/v1/invocations/{id}/attempts", get_attempts, json, kPlain},
        {"GET", "/v1/invocations/{id}/result", get_result, json, kEndless},
        {"GET", "/v1/invocations/{id}/logs", get_logs, json, kEndless, kReadByHandler},
        {"GET", "/v1/invocations/{id}/events", get_events, json, kEndless},
        {"GET", "/v1/invocations/{id}/debug", debug_invocation, json, kPlain},
        {"GET", "/v1/events/stream", stream_events, json, kEndless, "function state cursor"},
        // Control.
        {"POST", "/v1/invocations/{id}/cancel", cancel_invocation, json, kPlain},
        {"POST", "/v1/invocations/{id}/kill", kill_invocation, json, kPlain},
        {"POST", "/v1/invocations/{id}/retry", retry_invocation, json, kPlain},
        {"PATCH", "/v1/invocations/{id}", patch_invocation, json, kPlain},
        {"DELETE", "/v1/invocations/{id}", delete_invocation, json, kPlain},
        {"POST", "/v1/invocations:cancel", bulk_cancel, json, kBulk, kReadByHandler},
        {"POST", "/v1/invocations:kill", bulk_kill, json, kBulk, kReadByHandler},
        {"POST", "/v1/invocations:retry", bulk_retry, json, kBulk, kReadByHandler},
        {"POST", "/v1/invocations:purge", bulk_purge, json, kBulk, kReadByHandler},
        // Functions, limits, hosts.
        {"GET", "/v1/functions", list_functions, json, kPlain},
        {"GET", "/v1/functions/{fn}", get_function, json, kPlain},
        {"PUT", "/v1/functions/{fn}", put_function, json, kPlain},
        {"DELETE", "/v1/functions/{fn}", delete_function, json, kPlain},
        {"POST", "/v1/functions/{fn}/versions", upload_version, package, kEndless},
        {"GET", "/v1/functions/{fn}/queue", get_queue, json, kPlain},
        {"POST", "/v1/functions/{fn}/queue/pause", pause_queue, json, kPlain},
        {"POST", "/v1/functions/{fn}/queue/resume", resume_queue, json, kPlain},
        {"POST", "/v1/functions/{fn}/queue/purge", purge_queue, json, kBulk},
        {"GET", "/v1/limits", get_limits, json, kPlain, "limit cursor"},
        {"PUT", "/v1/limits", put_limits, json, kPlain},
        {"GET", "/v1/dead-letters", list_dead_letters, json, kPlain, kReadByHandler},
        {"POST", "/v1/dead-letters/{id}/redrive", redrive_dead_letter, json, kPlain},
        {"GET", "/v1/hosts", list_hosts, json, kPlain},
        {"GET", "/v1/instances", list_instances, json, kPlain},
        {"POST", "/v1/hosts/{host}/drain", set_drain, json, kPlain},
        {"GET", "/v1/hosts/{host}/drain", get_drain, json, kPlain},
    };
    return routes_of(api, entries);
}

std::vector<net::Route> internal_routes(const Api& api) {
    const Row entries[] = {
        {"POST", "/v1/status", routes::take_status, std::uint64_t{8} << 20, kPlain},
    };
    return routes_of(api, entries);
}

}  // namespace longhaul::gateway
