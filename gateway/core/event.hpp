// What the core is told: requests of callers, news of attempts, news of hosts. All values.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/attempt_digest.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct SubmitRequest {
    InvocationId id;
    bool id_is_chosen = false;  // PUT: the same fingerprint again is the same invocation
    TenantName tenant;
    FunctionName function;
    Content body;
    SubmitOptions options;
    std::optional<InvocationId> retry_of{};  // the ended one whose event this is
    bool is_only_retry = false;              // where it was retried before, that is the answer
};

struct SubmitAnswer {
    InvocationId id;
    bool replayed = false;  // the key or the id was known, with the same fingerprint; or retry_of
};

struct StopRequest {
    InvocationId id;
    TenantName tenant;
    StopCause cause = StopCause::cancel;  // cancel or kill
    std::string by;
    std::string reason;
    std::optional<Duration> grace;  // nothing: the function's own
};

// What a caller changes; members that are not set stay as they are.
struct PatchRequest {
    InvocationId id{};
    TenantName tenant{};
    std::optional<std::uint32_t> if_revision{};
    std::optional<std::uint8_t> priority{};
    std::optional<TimePoint> deadline{};
    bool sets_not_before = false;
    std::optional<TimePoint> not_before{};  // nothing: at once
    // Nothing removes the label.
    std::vector<std::pair<std::string, std::optional<std::string>>> labels{};
    std::size_t labels_max = 16;
};

// How an attempt ended, in its host's words.
struct ReportedEnd {
    AttemptOutcome outcome = AttemptOutcome::failed;
    std::optional<FailureReason> reason{};
    std::string message{};
    std::string error_type{};
    std::optional<int> exit_code{};
    std::optional<int> signal{};
    std::optional<int> http_status{};
    StopCause stop_cause = StopCause::none;
    bool sigkill_sent = false;
    bool tree_gone = false;
    Duration retry_after{};           // the function's wish: not again before
    std::optional<Content> result{};  // complete, or (content_is_remote) size and digest only
    bool result_is_remote = false;
};

// The instance in which a run ended, leased to us for the next one.
struct OfferedLease {
    std::string address;
    std::string run_token;
    Duration left{};
};

// One attempt's state, complete. `rank` as in PROTOCOL.md: 3 running, 4 stopping, 5 ended.
struct AttemptReport {
    InvocationId id;
    AttemptNumber attempt = 0;
    Token token;
    HostId host;
    InstanceId instance;
    std::uint64_t version = 0;
    std::uint8_t rank = 0;
    std::optional<TimePoint> started_at{};
    std::optional<ReportedEnd> end{};
    StageTrace trace{};
    Usage usage{};
    std::optional<Progress> progress{};
    bool silent = false;                  // its function, for longer than it said it would be
    std::optional<OfferedLease> lease{};  // with an end alone
};

inline constexpr std::uint8_t kRankStarting = 2;  // its runtime agent has the start
inline constexpr std::uint8_t kRankRunning = 3;
inline constexpr std::uint8_t kRankEnded = 5;

// Why an attempt was certainly not started.
enum class RouteFailure : std::uint8_t {
    no_capacity,  // the host is full: not a route try, the queue TTL bounds it
    unreachable,
    refused,
};

using AttemptName = std::pair<InvocationId, AttemptNumber>;

struct IdleInstances {
    TenantName tenant;
    FunctionName function;
    Digest package{};
    std::uint32_t count = 1;
};

struct HostNews {
    HostId host{};
    Epoch epoch = 0;
    std::uint64_t last_seq = 0;
    std::string address{};
    std::uint32_t memory_mb = 0;
    std::uint32_t cpu_millis = 0;  // 0 = not limited
    std::uint32_t instances_max = 0;
    std::uint32_t instances = 0;  // all that exist
    bool draining = false;
    std::vector<IdleInstances> loaded{};
    std::vector<Digest> packages{};  // in its cache
    std::optional<AttemptDigest> digest{};
};

// What can be asked of a host about attempts (AskEffect). A greater one makes the lesser needless.
enum class Question : std::uint8_t {
    none,
    digest,    // whether it means the same as we do
    delta,     // what changed since known_seq
    named,     // certain attempts: those that a snapshot lacked, or that the host should have told
               // of. The answer is evidence
    snapshot,  // everything, by pages
};

struct HostQuestion {
    Question kind = Question::none;
    std::string address;
    Epoch epoch = 0;
    std::uint64_t since = 0;             // of a delta
    std::optional<AttemptName> after{};  // of a snapshot: the page that begins there
    std::vector<AttemptName> names{};
    std::vector<InstanceId> instances{};  // that they were sent to, one each; "" = not known
};

struct HostAnswer {
    HostId host;
    Epoch epoch = 0;
    bool complete = false;  // every instance that the host ever journalled was found or proven dead
    TimePoint asked_at{};
    Question asked = Question::snapshot;
    std::uint64_t last_seq = 0;
    std::optional<AttemptName> after{};  // as asked
    std::optional<AttemptName> next{};   // of a snapshot: the next page begins there
    bool more = false;                   // of a delta
    std::optional<AttemptDigest> digest{};
    std::vector<AttemptReport> reports{};
    std::vector<AttemptName> unknown{};  // asked for by name, and not there
    std::vector<AttemptName> unheard{};  // the same, but the host could not find out
};

}  // namespace longhaul::gateway
