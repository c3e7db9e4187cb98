// What every public route is given, and the small readings they share.
#pragma once

#include "gateway/driver/handle.hpp"
#include "longhaul/net/message.hpp"

#include <optional>
#include <string>

namespace longhaul::gateway {

struct ApiOptions {
    bool trust_tenant_header = false;              // else every caller is the tenant "default"
    Duration wait_max = std::chrono::minutes(5);   // of ?wait and Prefer: wait
    Duration timeout_max = std::chrono::hours(3);  // of a function's execution; up to 7 d
    Duration not_before_max = std::chrono::hours(24 * 30);  // how far ahead work is accepted
    Duration stream_heartbeat = std::chrono::seconds(15);   // on silent event streams
    std::uint32_t list_max = 500;                           // entries of one page
    std::uint32_t batch_max = 100;                          // ids of one batchGet
    std::uint32_t bulk_max = 10'000;                        // invocations of one call about many
    std::uint32_t submits_max = 1000;                       // of one batch of submits
    std::uint64_t submits_bytes_max = 8u << 20;             // bytes of one batch of submits
    std::uint64_t document_max = 256 * 1024;                // bytes of a JSON request
    // The caller's own headers that a submit keeps for the function: how many, bytes together.
    std::uint32_t headers_max = 32;
    std::uint64_t headers_bytes_max = 4 * 1024;
};

struct Api {
    Gateway& gateway;
    const ApiOptions options;
};

// Errc::invalid_argument of type invalid-header where the header breaks the rule for names.
[[nodiscard]] Result<TenantName> tenant_of(const Api& api, const net::Request& request);
[[nodiscard]] Result<InvocationId> id_of(const net::Request& request);
[[nodiscard]] Result<FunctionName> function_of(const net::Request& request);

struct Addressed {
    TenantName tenant;
    InvocationId id;
};
[[nodiscard]] Result<Addressed> addressed(const Api& api, const net::Request& request);

// ?name=30s: nothing if absent; refused if malformed; at most `max`, whatever was asked.
[[nodiscard]] Result<std::optional<Duration>> duration_query(const net::Request& request,
                                                             std::string_view name, Duration max);

// Of type invalid-parameter: the request has no such parameter in its query.
[[nodiscard]] Error unknown_parameter(std::string_view name);

[[nodiscard]] net::Response document_response(int status, const Snapshot& snapshot);

}  // namespace longhaul::gateway
