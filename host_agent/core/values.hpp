// The values that the host's core speaks in: runs (attempts of invocations on this host), instances
// and what a take asks for.
//
// Pure: no wire type comes in here. A status travels through the core as its stamp (rank, version);
// the driver keeps what else it says (driver/status_table.hpp).
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace longhaul::host_agent {

struct RunKey {
    InvocationId invocation;
    AttemptNumber attempt = 0;

    friend auto operator<=>(const RunKey&, const RunKey&) = default;
    friend bool operator==(const RunKey&, const RunKey&) = default;
};

struct RunOwner {
    Shard shard = 0;
    OwnerTerm term = 0;

    friend bool operator==(const RunOwner&, const RunOwner&) = default;
};

// Numbers of the wire (wire::Rank).
inline constexpr std::uint8_t kRankDispatched = 1;
inline constexpr std::uint8_t kRankRunning = 3;
inline constexpr std::uint8_t kRankEnded = 5;

struct StatusStamp {
    std::uint8_t rank = 0;
    std::uint64_t version = 0;
};

// Names one process for ever: a pid alone is reused by the kernel.
struct ProcessName {
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat

    friend bool operator==(const ProcessName&, const ProcessName&) = default;
};

// A runtime agent as it was spawned: all that finding it again needs.
struct InstanceProcess {
    ProcessName process;
    std::uint32_t uid = 0;        // 0 = that of the host agent
    std::string control_address;  // "unix:/…/control.sock"
    std::string secret;           // of its control socket

    friend bool operator==(const InstanceProcess&, const InstanceProcess&) = default;
};

// An idle instance that the owner of a shard may start one run in without a take. Who gets in is
// decided by its runtime agent, which also says so.
struct Lease {
    RunOwner owner;  // as it was when the lease was given
    std::string run_token;
    TimePoint at{};

    friend bool operator==(const Lease&, const Lease&) = default;
};

// What an instance was loaded with; only a take of exactly this reuses it.
struct LoadedCode {
    TenantName tenant;
    FunctionName function;
    Digest version;
    Digest package;
    Duration keep_alive{};

    [[nodiscard]] bool serves(const LoadedCode& other) const {
        return tenant == other.tenant && function == other.function && version == other.version;
    }
    friend bool operator==(const LoadedCode&, const LoadedCode&) = default;
};

enum class InstanceState : std::uint8_t {
    starting,    // spawned or about to be; not ready yet, or loading
    unproven,    // in the journal of an earlier life of this host agent, not found yet
    idle,        // loaded and free
    taken,       // assigned to a run that has not ended, or to several
    broken,      // may not be used again; to be destroyed
    destroying,  // its end is under way
};

struct Instance {
    InstanceId id;
    InstanceState state = InstanceState::starting;
    std::uint32_t memory_mb = 0;
    std::optional<InstanceProcess> process{};  // once it was spawned
    std::optional<LoadedCode> loaded{};
    std::uint32_t places = 1;             // runs at once; more than 1: it is shared
    bool worn = false;                    // takes no other run, and ends after those it has
    std::optional<LoadedCode> loading{};  // while it is starting
    std::set<RunKey> runs{};  // the takes and runs that hold it, none of which has ended
    TimePoint idle_since{};
    std::optional<Lease> lease{};  // where it is idle: not for a take before it is closed
    // Of the lease, in this life alone.
    TimePoint lease_until{};
    std::optional<RunKey> lease_after{};  // the run with whose end it is told
    std::string lease_address{};
    bool lease_stuck = false;  // its runtime agent did not answer when it was to be closed
};

enum class RunState : std::uint8_t {
    taking,    // no answer was given yet; nothing of it is durable
    assigned,  // answered; its start was not seen
    active,    // the runtime agent reported it
    ended,     // the end is durable, not acknowledged
};

// Why a host takes no more work, and until when what runs there may go on.
struct DrainOrder {
    std::optional<TimePoint> by{};  // nothing: as long as it takes
    std::string reason{};
    TimePoint since{};

    friend bool operator==(const DrainOrder&, const DrainOrder&) = default;
};

struct Run {
    RunState state = RunState::taking;
    Token token;
    InstanceId instance;
    std::string run_token{};
    std::string data_address{};
    StatusStamp stamp{};
    std::uint64_t seq = 0;  // of its last change; 0 = none yet
    bool fenced = false;
    bool lease_checked = false;    // its lapse was put to the runtime agent
    bool drain_stopped = false;    // named by drain_due()
    std::optional<Shard> shard{};  // whose it is; nothing where an earlier life took it
    TimePoint taken_at{};
    TimePoint ended_at{};
};

struct TakeInput {
    RunOwner owner;
    RunKey key;
    Token token;
    LoadedCode code;
    std::uint32_t memory_mb = 0;
    std::uint32_t places = 1;  // of an instance of the function
    InstanceId fresh;          // the id of the instance, should a new one be started
};

struct CoreLimits {
    std::uint32_t instances_max = 0;
    std::uint32_t memory_mb = 0;
    std::uint32_t runs_max = 0;    // live and ended, not acknowledged
    std::uint32_t fences_max = 0;  // remembered; the oldest go first
    Duration take_lease{};
    Duration instance_lease{};   // how long an idle instance waits for its lessee; 0 = never
    Duration fence_retention{};  // also of ended runs that were fenced: nobody acknowledges those
};

}  // namespace longhaul::host_agent
