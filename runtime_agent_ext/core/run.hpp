// One attempt inside a runtime agent, and the words that instance.hpp speaks in. Values.
#pragma once

#include "longhaul/lifecycle/invocation.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

struct RunKey {
    InvocationId invocation;
    AttemptNumber attempt = 0;

    friend auto operator<=>(const RunKey&, const RunKey&) = default;
};

enum class RunRank : std::uint8_t { starting = 1, running, stopping, ended };

enum class InstanceState : std::uint8_t {
    standby = 1,  // no function yet
    loading,
    loaded,  // idle, may be given a run
    busy,
    broken,  // may never run anything again: to be destroyed
};

// Who may run next: one-run permission from the host agent. An offer names nobody (no key): the
// first run of the shard that comes, under an owner not older than `owner_term`, has it. Only the
// host agent is told its run token, and may pass it on as a lease.
struct Assignment {
    RunKey key;
    Token token;
    std::string run_token;
    bool is_offer = false;
    Shard shard = 0;
    OwnerTerm owner_term = 0;

    friend bool operator==(const Assignment&, const Assignment&) = default;
};

struct RunOrder {
    RunKey key;
    Token token;
    std::string run_token{};
    Shard shard = 0;
    OwnerTerm owner_term = 0;
    Duration timeout{};
    Duration timeout_grace = std::chrono::seconds(10);
    std::optional<Duration> deadline{};  // left
    Duration heartbeat_timeout{};        // 0: it may be silent
};

// `host`: for the sake of the host, which nobody else asked for. It has no StopCause: unless
// another stop joins in, the attempt is lost to its host.
enum class StopMode : std::uint8_t { cancel = 1, kill, timeout, fence, host };
enum class StopVerdict : std::uint8_t { stopping = 1, fenced, ended, wrong_token };

// How a function ended by itself.
struct FunctionEnd {
    bool success = false;
    std::optional<FailureReason> reason{};  // where it is no success
    std::string message{};
    std::string error_type{};
    std::optional<int> exit_code{};
    std::optional<int> signal{};
    std::optional<int> http_status{};       // mode http: what the function's server answered with
    std::optional<Duration> retry_after{};  // mode http: not to be tried again before
    bool oom = false;
    // Where it is a success, and in mode http where there is any; `file` is a name in the store.
    std::optional<Content> result{};
    Usage usage{};
    bool left_processes = false;  // something runs that was not there when the load finished
    bool runtime_gone = false;    // the process that served the function has ended with it
    bool still_serving = false;   // it has not: it would serve the next run
    bool given_up = false;        // it may still work on the run, which nobody waits for any more
};

struct Run {
    RunKey key;
    Token token;
    std::string run_token{};
    Shard shard = 0;  // and the term of the owner who started it
    OwnerTerm owner_term = 0;
    std::uint64_t version = 1;
    RunRank rank = RunRank::starting;
    TimePoint started_at{};
    std::optional<TimePoint> ended_at{};
    std::optional<TimePoint> first_byte_at{};

    std::optional<AttemptOutcome> outcome{};
    FunctionEnd end{};
    StopCause stop_cause = StopCause::none;
    bool sigkill_sent = false;
    bool tree_gone = false;
    std::optional<Progress> progress{};
    TimePoint heard_at{};  // when its function last told progress or a heartbeat, or began
    bool silent = false;   // for longer than heartbeat_timeout
    bool kept = false;     // its end is durable at the host agent

    // Clocks.
    TimePoint timeout_at{};
    Duration timeout_grace{};
    Duration heartbeat_timeout{};
    std::optional<TimePoint> deadline_at{};
    TimePoint kill_at{};  // where rank is stopping
    bool kill_ordered = false;
    bool obeyed = false;        // it ended in its grace; what is killed then is an idle runtime
    std::string stop_reason{};  // of a stop for the host's sake

    [[nodiscard]] bool is_live() const { return rank != RunRank::ended; }
};

}  // namespace longhaul::runtime_agent_ext
