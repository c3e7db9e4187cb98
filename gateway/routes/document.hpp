// The documents of the public API (PROTOCOL.md, "Documents"): values in, JSON out.
#pragma once

#include "gateway/driver/handle.hpp"
#include "longhaul/wire/json.hpp"

#include <string>

namespace longhaul::gateway {

[[nodiscard]] wire::Json invocation_document(const Snapshot& snapshot);
[[nodiscard]] wire::Json attempt_document(const Attempt& attempt);
[[nodiscard]] wire::Json history_document(const InvocationId& id, const HistoryEntry& entry);
[[nodiscard]] wire::Json function_document(const FunctionQueue& queue);
[[nodiscard]] wire::Json queue_document(const FunctionQueue& queue, const Scheduler& scheduler,
                                        TimePoint now);
[[nodiscard]] wire::Json host_document(const Host& host, TimePoint now);

// `"revision.status_version"` of RFC 9110 ETag.
[[nodiscard]] std::string etag_of(const Invocation& invocation);

// When a poller should look again.
[[nodiscard]] std::string retry_after(const Snapshot& snapshot);

// Of its last attempt, in ms: "queue;dur=0.1, route;dur=0.5, run;dur=51.2" (Server-Timing, W3C).
// Empty where none was begun.
[[nodiscard]] std::string server_timing(const Invocation& invocation);

[[nodiscard]] std::string path_of(const InvocationId& id);

}  // namespace longhaul::gateway
