// What is durable: every change, as a value, and what it does to an invocation.
//
// apply() is the one way in which an invocation changes, live, in recovery and in the view. Records
// are complete in themselves; replaying one twice gives the same (revision guards it).
#pragma once

#include "longhaul/lifecycle/invocation.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace longhaul {

// Kinds are the second byte of an encoded record: do not change.
enum class RecordKind : std::uint8_t {
    owner_term = 1,
    function_put = 2,
    function_deleted = 3,
    limits_put = 4,
    queue_paused = 5,
    accepted = 6,
    dispatching = 7,
    started = 8,
    requeued = 9,
    stop_intent = 10,
    fenced = 11,
    attempt_ended = 12,
    terminal = 13,
    purged = 14,
    patched = 15,
};

// The limits on attempts at once. 0 is no limit of its own.
struct RunLimits {
    std::uint32_t global_max = 10'000;
    std::uint32_t tenant_max = 0;

    friend bool operator==(const RunLimits&, const RunLimits&) = default;
};

struct OwnerTermRecord {
    Shard shard = 0;
    OwnerTerm term = 0;
};

struct FunctionPutRecord {
    TenantName tenant;
    std::shared_ptr<const FunctionSpec> function;
    TimePoint at;
};

struct FunctionDeletedRecord {
    TenantName tenant;
    FunctionName function;
    TimePoint at;
};

struct LimitsPutRecord {
    RunLimits limits;
};

struct QueuePausedRecord {
    TenantName tenant;
    FunctionName function;
    bool paused = false;
};

// A new invocation, in the state it begins with (scheduled, queued, or dispatching with its first
// attempt: one commit, one revision).
struct AcceptedRecord {
    Invocation invocation;
};

// What every change of an invocation carries.
struct Change {
    InvocationId id;
    std::uint32_t revision = 0;  // after it
    TimePoint at;
    State state = State::queued;  // after it
};

struct DispatchingRecord {
    Change change;
    Attempt attempt;  // a new number and token
    std::uint32_t route_tries = 0;
};

struct StartedRecord {
    Change change;
    AttemptNumber attempt = 0;
    InstanceId instance;
    StageTrace trace;
};

// Queued: again, keeping its place, where certainly nothing started; or scheduled, retrying, whose
// time has come.
struct RequeuedRecord {
    Change change;
    std::uint32_t route_tries = 0;
};

struct StopIntentRecord {
    Change change;
    Stop stop;
};

// No report of this attempt counts any more.
struct FencedRecord {
    Change change;
    AttemptNumber attempt = 0;
};

// How an attempt ended, as its host reported it.
struct AttemptEnd {
    AttemptNumber attempt = 0;
    AttemptOutcome outcome = AttemptOutcome::failed;
    InstanceId instance{};
    std::optional<TimePoint> started_at{};
    std::optional<int> http_status{};
    std::optional<int> exit_code{};
    std::optional<int> signal{};
    Usage usage{};
    StageTrace trace{};
    std::optional<FailureReason> reason{};  // where it is tried again
    std::string message{};

    friend bool operator==(const AttemptEnd&, const AttemptEnd&) = default;
};

// Not final: the next state is queued or retrying.
struct AttemptEndedRecord {
    Change change;
    AttemptEnd end;
    std::optional<TimePoint> due_at{};  // retrying: when the next attempt is queued
};

struct TerminalRecord {
    Change change;
    std::optional<AttemptEnd> end;  // nothing where no attempt was under way
    std::optional<Content> result;
    std::optional<Failure> failure;
    std::optional<Stop> stop;  // as it stands at the end: signal sent, confirmed
};

// Deleted by its owner or by retention.
struct PurgedRecord {
    InvocationId id;
    TimePoint at;
};

// What a caller may change, all of it, as it stands now.
struct PatchedRecord {
    Change change;
    std::uint8_t priority = 3;
    TimePoint deadline{};
    bool deadline_is_explicit = false;
    std::optional<TimePoint> not_before{};
    std::optional<TimePoint> due_at{};
    TimePoint queue_ttl_at{};
    std::vector<std::pair<std::string, std::string>> labels;
};

using Record = std::variant<OwnerTermRecord, FunctionPutRecord, FunctionDeletedRecord,
                            LimitsPutRecord, QueuePausedRecord, AcceptedRecord, DispatchingRecord,
                            StartedRecord, RequeuedRecord, StopIntentRecord, FencedRecord,
                            AttemptEndedRecord, TerminalRecord, PurgedRecord, PatchedRecord>;

// The change inside an invocation's record, or nullptr: accepted, purged and records of other
// things have none.
[[nodiscard]] const Change* change_of(const Record& record);

// The invocation that the record is about, or nullptr.
[[nodiscard]] const InvocationId* invocation_of(const Record& record);

// Applies a record with a Change to its invocation. False, and nothing changes, if the revision is
// not newer: it was applied before. REQUIRES change_of(record) and the same id.
bool apply(const Record& record, Invocation& invocation);

}  // namespace longhaul
