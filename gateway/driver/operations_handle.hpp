// What a caller may do to what has ended, and to many at once, and what it is told. Values.
#pragma once

#include "gateway/core/event.hpp"
#include "gateway/core/inspection.hpp"
#include "gateway/driver/handle.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct RetryOrder {
    TenantName tenant;
    InvocationId id;  // of the one that has ended
    std::string idempotency_key{};
    bool is_only = false;         // one that was made before is the answer
    bool of_dead_letter = false;  // Errc::conflict, no-dead-letter, for any other
};

enum class BulkVerb : std::uint8_t { cancel, kill, retry, purge };

struct BulkOrder {
    BulkVerb verb = BulkVerb::cancel;
    ListQuery query{};  // newest first; `limit` is how many at most
    bool dry_run = false;
    std::string by{};
    std::string reason{};
    std::optional<Duration> grace{};
};

struct BulkAnswer {
    std::uint64_t matched = 0;
    std::uint64_t done = 0;
    std::uint64_t refused = 0;
    std::map<std::string, std::uint64_t> by_reason{};  // problem types of the refused ones
    std::string stopped_by{};  // the problem that the rest would meet as well; "" = none
    std::optional<std::pair<TimePoint, InvocationId>> next{};  // another call goes on after it
};

// Everything about one invocation that the gateway can tell.
struct Diagnosis {
    Snapshot snapshot;
    std::vector<HistoryEntry> history{};
    std::optional<Inspection> inspection{};  // nothing: only the view has it
    port::Position staged = 0;
    port::Position durable = 0;
    port::Position applied = 0;
};

}  // namespace longhaul::gateway
