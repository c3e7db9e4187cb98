// Names of the HTTP headers with which an invocation travels to a runtime agent's data listener:
// POST /v1/invocations, raw body with Content-Length (PROTOCOL.md, "Runtime agent").
#pragma once

#include <string_view>

namespace longhaul::wire::run_headers {

// Required.
inline constexpr std::string_view kInvocation = "Longhaul-Invocation";
inline constexpr std::string_view kAttempt = "Longhaul-Attempt";
inline constexpr std::string_view kToken = "Longhaul-Token";
inline constexpr std::string_view kTimeoutMs = "Longhaul-Timeout-Ms";

// Optional.
inline constexpr std::string_view kShard = "Longhaul-Shard";
inline constexpr std::string_view kOwnerTerm = "Longhaul-Owner-Term";
inline constexpr std::string_view kGraceMs = "Longhaul-Grace-Ms";          // of the timeout; 10 s
inline constexpr std::string_view kDeadlineMs = "Longhaul-Deadline-Ms";    // milliseconds left
inline constexpr std::string_view kBodySha256 = "Longhaul-Body-Sha256";    // 64 hex digits
inline constexpr std::string_view kContentType = "Longhaul-Content-Type";  // the user's
inline constexpr std::string_view kTraceparent = "Longhaul-Traceparent";
inline constexpr std::string_view kHeaders = "Longhaul-Headers";  // the user's: one JSON object
inline constexpr std::string_view kLabels = "Longhaul-Labels";    // one JSON object

}  // namespace longhaul::wire::run_headers
