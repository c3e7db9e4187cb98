// The values that the client speaks in: what one asks for, and what one is told.
//
// Documents are decoded into the members that a caller decides by; the whole of it stays at hand in
// `document`, so that a newer gateway's members are not lost on the way.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/wire/json.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::client {

struct ClientOptions {
    std::string server = "http://127.0.0.1:7070";        // or "unix:/path"
    std::string server_named_by{};                       // for error messages: "from --server"
    std::string address{};                               // where `server` is; "" = as it says
    std::string tenant{};                                // "" = the server's default
    Duration call_limit = std::chrono::seconds(15);      // of one answer that nothing waits for
    Duration upload_limit = std::chrono::seconds(120);   // of one package
    Duration stream_silence = std::chrono::seconds(60);  // then a stream is opened again
    Duration reconnect_limit =
        std::chrono::seconds(60);  // of one interruption of a wait or a stream
    std::uint64_t document_bytes_max = 8u << 20;
};

struct SubmitRequest {
    FunctionName function;
    std::string body{};
    std::string content_type{};        // "" = none
    std::optional<InvocationId> id{};  // chosen by the caller
    std::string idempotency_key{};     // "" = the client makes one, so that it can try again
    std::string timeout{};             // durations as text: "90s"; "" = the function's
    std::string queue_ttl{};
    std::string deadline{};    // RFC 3339, or a duration from now
    std::string not_before{};  // the same
    std::string priority{};    // "0" … "7"; "" = the default
    std::string concurrency_key{};
    std::string retry{};  // "max_attempts=3, backoff=2s"; "" = the function's
    std::vector<std::pair<std::string, std::string>> labels{};
};

// An invocation, as the gateway's document says.
struct InvocationStatus {
    InvocationId id;
    FunctionName function;
    State state = State::queued;
    std::uint32_t revision = 0;
    std::uint64_t status_version = 0;
    std::string phase{};        // "" = none
    std::string wait_reason{};  // "" = it does not wait
    std::optional<std::int64_t> position{};
    std::optional<TimePoint> created_at{};
    std::optional<TimePoint> started_at{};
    std::optional<TimePoint> ended_at{};
    std::optional<Progress> progress{};
    bool suspect = false;
    std::string error_reason{};
    std::string error_message{};
    wire::Json document{};

    [[nodiscard]] bool ended() const { return is_terminal(state); }
};

struct Submitted {
    InvocationStatus status;
    bool replayed = false;  // the key or id was known: nothing new was made
};

struct ListFilter {
    std::string function{};
    std::vector<std::string> states{};  // also "live", "ended"
    std::vector<std::pair<std::string, std::string>> labels{};
    std::string since{};
    std::string until{};
    bool oldest_first = false;
    std::uint32_t limit = 50;
    std::string cursor{};
};

// What is done to all that a filter matches.
struct BulkRequest {
    std::string verb{};    // cancel, kill, retry or purge
    ListFilter filter{};   // `limit` and `oldest_first` do not count
    bool all = false;      // without any filter
    bool dry_run = false;  // only count
    std::string grace{};   // of a cancel
    std::string reason{};  // of a cancel or kill
};

// The sum over all calls that it took.
struct BulkDone {
    std::int64_t matched = 0;
    std::int64_t done = 0;
    std::int64_t refused = 0;
    std::map<std::string, std::int64_t> by_reason{};
    std::string stopped_by{};   // the problem that the rest would meet as well; "" = none
    std::string next_cursor{};  // "" = nothing is left
};

struct ListPage {
    std::vector<InvocationStatus> invocations;
    std::string next_cursor{};  // "" = the last page
    wire::Json document{};
};

struct LogLine {
    std::string offset{};  // "attempt:byte", the place after this line
    std::string time{};    // RFC 3339
    std::string stream{};  // "stdout" | "stderr" | "system"
    std::string text{};
};

struct LogRequest {
    InvocationId id;
    bool follow = false;  // until the run has ended and everything was said
    std::optional<std::uint32_t> tail{};
    std::string since{};   // an offset
    std::string stream{};  // "" = both
};

struct ResultInfo {
    std::string content_type{};
    std::uint64_t size = 0;
};

struct StopRequest {
    InvocationId id;
    std::string grace{};  // a duration; "" = the function's. Not for kill
    std::string reason{};
};

// What a host that is to become empty still has to do.
struct HostDrain {
    struct Blocking {
        InvocationId id;
        AttemptNumber attempt = 0;
        FunctionName function;
        std::string state{};  // of the invocation, or of the run at its host
        std::optional<TimePoint> since{};
        std::optional<TimePoint> until{};  // when it has ended at the latest
    };
    HostId host;
    bool draining = false;
    bool drained = false;                 // nothing of any run is left there
    std::optional<TimePoint> drain_by{};  // what runs then is stopped
    std::string reason{};
    std::vector<Blocking> blocking{};
    wire::Json document{};
};

struct DrainRequest {
    HostId host;
    bool drain = true;  // false: it takes work again
    std::string by{};   // a duration: "10m"; "" = as long as it takes
    std::string reason{};
};

struct InstanceInfo {
    InstanceId id;
    HostId host;
    std::string state{};
    std::string tenant{};
    std::string function{};  // "" = none is loaded
    std::string version{};
    std::string invocation{};  // "" = it is not busy
    std::int64_t attempt = 0;
    std::int64_t memory_mb = 0;
    std::optional<TimePoint> idle_since{};
};

struct InstanceList {
    std::vector<InstanceInfo> instances;
    std::vector<std::string> unreachable{};  // hosts that did not answer: theirs are missing
    wire::Json document{};
};

struct Package {
    Digest digest;
    std::uint64_t size = 0;
};

// Called for each piece or change, in order, on the client's executor; an error ends the call with
// that error. They must not block for long.
using ByteSink = std::function<Result<void>(std::string_view)>;
using LogSink = std::function<Result<void>(const LogLine&)>;
// Returns whether to go on waiting.
using StatusSink = std::function<bool(const InvocationStatus&)>;
using DrainSink = std::function<void(const HostDrain&)>;

}  // namespace longhaul::client
