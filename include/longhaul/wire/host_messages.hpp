// What gateway, status service, host agent and runtime agent say to each other (PROTOCOL.md,
// "Between the components"): values, and their JSON. Every message carries "proto": 1; unknown
// members are ignored, an unknown proto is refused. Limits in time are milliseconds left.
//
// Decoders check every member against a bound and never trust a count.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/lifecycle/attempt_digest.hpp"
#include "longhaul/lifecycle/function_spec.hpp"
#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/wire/json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::wire {

inline constexpr int kProto = 1;
inline constexpr std::size_t kBatchMax = 500;

// What encoders cut longer texts to and decoders refuse more than, in bytes.
inline constexpr std::size_t kMessageMax = 16u << 10;
inline constexpr std::size_t kErrorTypeMax = 256;
inline constexpr std::size_t kProgressMessageMax = 1024;
inline constexpr std::size_t kInlineResultMax = 64u << 10;  // hosts inline up to 8 KiB

// Numbers of the wire: do not change.
enum class Rank : std::uint8_t {
    queued = 0,
    dispatched = 1,
    starting = 2,
    running = 3,
    stopping = 4,
    ended = 5,
};

[[nodiscard]] std::string_view to_string(Rank rank);

// Who speaks for a shard; a host refuses a term below the highest it has seen (409 stale-owner).
struct Owner {
    Shard shard = 0;
    OwnerTerm term = 0;
};

struct AttemptKey {
    InvocationId invocation;
    AttemptNumber attempt = 0;

    friend auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
};

struct TakeRequest {
    Owner owner;
    AttemptKey key;
    Token token;
    TenantName tenant;
    FunctionSpec function;     // pinned to the version that was accepted
    std::int64_t ms_left = 0;  // of the dispatch as a whole
    // Where the attempt may have started already, under this instance's lease; "" = nowhere.
    InstanceId instance{};
};

struct TakeAnswer {
    InstanceId instance;
    std::string address;    // of the runtime agent's data listener: "127.0.0.1:40123"
    std::string run_token;  // "Authorization: Bearer …" there
    bool loaded = false;    // a warm instance: nothing was loaded
    StageTrace trace;
};

// A result as it travels: inline, or where to fetch it.
struct ResultReference {
    bool is_inline = false;
    std::string bytes;  // where inline; base64 in JSON
    std::uint64_t size = 0;
    std::string sha256;        // 64 hex digits; "" where inline
    std::string content_type;  // "" = application/octet-stream
};

// An idle loaded instance, leased ahead to whoever owns the run that ended in it: the next run of
// the same function may be started there without a take, once.
struct InstanceLease {
    std::string address;    // of the runtime agent's data listener
    std::string run_token;  // of that one run
    std::int64_t ms = 0;    // left at the moment of sending
};

// The state of one attempt, complete (never a difference). Merge rule, everywhere: accept only a
// greater (attempt, rank, version). Ends do not compare: the first durable one wins.
struct StatusEntry {
    AttemptKey key;
    Token token;
    std::string incarnation;  // of the runtime agent
    InstanceId instance;
    std::uint64_t version = 0;
    Rank rank = Rank::queued;

    // Where rank is ended. `lost` means: the runtime agent is provably gone, or it was made to stop
    // the run for its host's sake; `message` has the evidence.
    std::optional<AttemptOutcome> outcome;
    std::optional<FailureReason> reason;
    std::string message;     // for a person: the error's text, the evidence
    std::string error_type;  // the function's own: "ValueError"
    std::optional<int> exit_code;
    std::optional<int> signal;
    std::optional<int> http_status;
    std::optional<std::int64_t> retry_after_ms;  // after the end: what the function asked for
    bool oom = false;
    StopCause stop_cause = StopCause::none;  // which stop the runtime agent carried out
    bool sigkill_sent = false;
    bool tree_gone = false;
    std::optional<ResultReference> result;

    std::optional<std::int64_t> started_ms_ago;  // at the moment of sending
    std::optional<std::int64_t> ended_ms_ago;
    StageTrace trace;
    Usage usage;
    std::optional<Progress> progress;
    bool silent = false;  // its function has told nothing for its heartbeat_timeout
    std::optional<InstanceLease> lease{};  // of `instance`, with an end alone
};

struct HostCapacity {
    std::uint32_t memory_mb = 0;
    std::uint32_t cpu_millis = 0;  // 0 = not limited
    std::uint32_t instances_max = 0;

    friend bool operator==(const HostCapacity&, const HostCapacity&) = default;
};

struct LoadedInstances {
    TenantName tenant;
    FunctionName function;
    Digest package;
    std::uint32_t idle = 0;

    friend bool operator==(const LoadedInstances&, const LoadedInstances&) = default;
};

// What a host says of itself every 2 s and on change.
struct HostAnnouncement {
    HostId host;
    Epoch epoch = 0;
    std::uint64_t last_seq = 0;
    std::string address;  // of its internal listener
    HostCapacity capacity;
    std::uint32_t instances = 0;       // all that exist
    std::uint32_t memory_used_mb = 0;  // of busy instances
    std::vector<LoadedInstances> loaded;
    std::vector<Digest> packages;
    bool draining = false;
    // Of every attempt that the host answers for: assigned, running, ended and not acknowledged.
    // Now and then (every 30 s), as of last_seq.
    std::optional<AttemptDigest> digest{};

    friend bool operator==(const HostAnnouncement&, const HostAnnouncement&) = default;
};

// POST status_service /v1/reports. Empty entries: the announcement alone.
struct Report {
    HostAnnouncement host;
    std::uint64_t first_seq = 0;  // of the entries; 0 where there are none
    std::vector<StatusEntry> entries;
    // Set by decode() alone, "entry 3: …": entries that were wrong and are left out.
    std::vector<std::string> skipped{};
};

// What is asked of the host beside, in JSON the member "orders".
struct ReportAnswer {
    std::uint64_t accepted_seq = 0;
    bool snapshot_please = false;      // order: report everything again
    std::vector<std::string> refused;  // "entry 3: …"
    std::optional<bool> drain{};       // order: take no more work, or take work again
    // Order: a greater epoch was heard of this host; nothing was taken in. A host that was never
    // heard under its own goes on with one above this; any other was superseded. 0 = none.
    Epoch epoch_floor = 0;
};

// What the status service publishes on longhaul.v1.status.{partition}.
struct StatusBatch {
    HostId host;
    Epoch epoch = 0;
    std::optional<std::uint64_t> prev_seq;  // last sent to that partition; none = look up
    std::uint64_t last_seq = 0;
    std::vector<StatusEntry> entries;
};

struct SeqPoint {
    Epoch epoch = 0;
    std::uint64_t seq = 0;
};

// POST host_agent /v1/status:batch: one of four questions.
struct StatusQuery {
    std::vector<AttemptKey> keys;       // these, at most kBatchMax
    bool snapshot = false;              // or everything, by pages in the order of keys
    std::optional<AttemptKey> after{};  // with snapshot: the page that begins after this key
    std::optional<SeqPoint> since{};    // or what changed since, oldest first
    bool digest = false;                // or the digest alone
    // Empty, or one for each key: the instance under whose lease it may run ("" = none), which is
    // heard before the key counts as unknown.
    std::vector<InstanceId> instances{};
};

// At most kBatchMax entries. `more`: the next page begins after the last entry's key (snapshot), or
// since last_seq (delta: there it is the last entry's). A page of a snapshot names everything that
// the host answers for in its range of keys.
struct StatusAnswer {
    HostId host;
    Epoch epoch = 0;
    std::uint64_t last_seq = 0;
    bool complete = false;  // every journalled instance was found or proven dead
    std::vector<StatusEntry> entries;
    std::vector<AttemptKey> unknown;  // asked for, never seen or forgotten after an ack
    bool more = false;
    std::optional<AttemptDigest> digest{};  // where it was asked for
    // Asked for, and nothing can be said: the runtime agent that may run it is silent. Ask again.
    std::vector<AttemptKey> unheard{};
};

// `drain` is the host's own, to its runtime agents: no stop of the gateway's. An attempt that ends
// by it is lost to its host.
enum class KillMode : std::uint8_t { cancel = 1, kill = 2, timeout = 3, fence = 4, drain = 5 };

// POST host_agent /v1/kill:batch. Of an attempt that the host does not know: a journalled fence.
struct KillOrder {
    Owner owner;
    AttemptKey key;
    Token token;
    KillMode mode = KillMode::kill;
    std::int64_t grace_ms = 0;
    std::string reason{};   // of `drain`: the evidence, for a person
    InstanceId instance{};  // that it was sent to, where the sender knows one
};

enum class KillOutcome : std::uint8_t {
    stopping = 1,  // the runtime agent has it; the end will be reported
    fenced = 2,    // never started here and never will
    ended = 3,     // it had ended; the end is reported (again)
    stale = 4,     // the owner term is too low
};

struct KillAnswer {
    AttemptKey key;
    KillOutcome outcome = KillOutcome::stopping;
};

// POST host_agent /v1/ack:batch: ownership of result and end has moved; the journal may forget.
struct Ack {
    Owner owner;
    AttemptKey key;
};

// What an idle instance is open to: one run under this token, of an owner of the shard that is not
// older than `owner`. The host agent may pass it on as a lease.
struct InstanceOffer {
    std::string run_token;
    Owner owner;
};

// POST host_agent /v1/instances/{id}/status over the host's unix socket, from the runtime agent.
struct InstanceStatus {
    std::string incarnation;
    bool ready = false;  // standby, or loaded: see state
    std::string state;   // "standby" | "loading" | "loaded" | "busy" | "broken" | "draining"
    std::string data_address;
    std::vector<StatusEntry> entries;
    std::optional<InstanceOffer> offer{};
    bool retry_on_lost = false;  // of the function that it is loaded with
};

struct InstanceStatusAnswer {
    // Ends that the host agent has made durable: the runtime agent may forget them.
    std::vector<AttemptKey> kept;
};

// POST runtime_agent_ext /v1/load on the control socket. One-shot; the same again is a no-op.
struct LoadRequest {
    TenantName tenant;
    FunctionSpec function;
    std::string code_dir;      // unpacked package, read-only for the function
    std::int64_t load_ms = 0;  // time allowed for the user's own load
};

[[nodiscard]] Json to_json(const TakeRequest& value);
[[nodiscard]] Json to_json(const TakeAnswer& value);
[[nodiscard]] Json to_json(const StatusEntry& value);
[[nodiscard]] Json to_json(const HostAnnouncement& value);
[[nodiscard]] Json to_json(const Report& value);
[[nodiscard]] Json to_json(const ReportAnswer& value);
[[nodiscard]] Json to_json(const StatusBatch& value);
[[nodiscard]] Json to_json(const StatusQuery& value);
[[nodiscard]] Json to_json(const StatusAnswer& value);
[[nodiscard]] Json to_json(const std::vector<KillOrder>& value);   // {"proto":1,"orders":[…]}
[[nodiscard]] Json to_json(const std::vector<KillAnswer>& value);  // {"proto":1,"answers":[…]}
[[nodiscard]] Json to_json(const std::vector<Ack>& value);         // {"proto":1,"acks":[…]}
[[nodiscard]] Json to_json(const InstanceStatus& value);
[[nodiscard]] Json to_json(const InstanceStatusAnswer& value);
[[nodiscard]] Json to_json(const LoadRequest& value);

// decode<TakeRequest>(text): Errc::invalid_argument names the member. Defined for every message.
template <class Message>
[[nodiscard]] Result<Message> decode(std::string_view text);

}  // namespace longhaul::wire
