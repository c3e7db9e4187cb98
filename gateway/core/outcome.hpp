// What the core answers with: records to persist, in order, and effects to run once they are
// durable (I8).
#pragma once

#include "longhaul/lifecycle/record.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace longhaul::gateway {

// Take an instance on the host and start the attempt there. Repeated under the same token until the
// answer is certain; every outcome returns as an event.
struct StartEffect {
    InvocationId id;
    TenantName tenant;
    AttemptNumber attempt = 0;
    Token token;
    HostId host;
    std::string host_address;
    std::shared_ptr<const FunctionSpec> function;  // shared: immutable
    Content body;
    std::string traceparent;
    std::vector<std::pair<std::string, std::string>> labels;
    std::vector<std::pair<std::string, std::string>> headers;
    Duration timeout{};  // execution limit
    TimePoint deadline{};
    TimePoint created_at{};
    TimePoint dispatched_at{};
};

// Tell the host to stop or fence the attempt, until it has answered.
struct StopEffect {
    InvocationId id;
    AttemptNumber attempt = 0;
    Token token;
    HostId host;
    std::string host_address;
    StopCause cause = StopCause::kill;
    bool fence = false;  // instead: no report of it counts, kill what runs
    Duration grace{};
};

// Copy a result from its host; then Scheduler::result_copied().
struct FetchResultEffect {
    InvocationId id;
    AttemptNumber attempt = 0;
    HostId host;
    std::string host_address;
    Content expected;  // size, sha256, content type
    std::uint64_t result_max = 0;
};

// The host may forget the attempt.
struct AckEffect {
    InvocationId id;
    AttemptNumber attempt = 0;
    HostId host;
    std::string host_address;
};

// Ask the host what it knows of these attempts; then Scheduler::host_answered().
struct AskEffect {
    HostId host;
    std::string host_address;
    std::vector<std::pair<InvocationId, AttemptNumber>> attempts;
};

// The body or result of an ended invocation is a file that nobody needs any more.
struct DropFileEffect {
    std::string file;
};

// Readers of this invocation may look again; nothing durable changed (progress, health).
struct ChangedEffect {
    InvocationId id;
};

using Effect = std::variant<StartEffect, StopEffect, FetchResultEffect, AckEffect, AskEffect,
                            DropFileEffect, ChangedEffect>;

struct Outcome {
    std::vector<Record> records;
    std::vector<Effect> effects;

    void clear() {
        records.clear();
        effects.clear();
    }
};

}  // namespace longhaul::gateway
