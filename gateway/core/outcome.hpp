// What the core answers with: records to persist, in order, and effects to run once they are
// durable (I8).
#pragma once

#include "longhaul/lifecycle/record.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace longhaul::gateway {

// Where a run may be started without a take.
struct StartLease {
    std::string address;
    std::string run_token;
};

// Start the attempt under `lease`; without one, or where it is refused, take an instance on the
// host and start it there. Repeated under the same token until the answer is certain; every outcome
// returns as an event.
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
    // The instance under whose lease the attempt was dispatched, or nothing. Where it is set and
    // there is no `lease` (a later life of the gateway), it may have started there.
    InstanceId instance{};
    std::optional<StartLease> lease{};
    // An earlier start of this attempt may have been sent: no refusal proves that nothing runs.
    bool is_repeat = false;
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
    InstanceId instance{};  // that it runs in, or was sent to; "" = not known
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
    // The core does not know the invocation: it has ended long ago, or nobody here ever had it.
    // Not before the view agrees.
    bool is_forgotten = false;
};

// There is something to ask of the host: Scheduler::question(), until there is nothing more; each
// answer to Scheduler::host_answered().
struct AskEffect {
    HostId host;
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
