// What the host's journal holds. HostCore::apply() is the one that reads them back, so that a life
// that was replayed and one that was lived agree.
#pragma once

#include "host_agent/core/values.hpp"

#include <string>
#include <variant>
#include <vector>

namespace longhaul::host_agent {

// Everything before it is superseded: the live state follows, in the same batch.
struct SnapshotBegun {};
struct EpochBegun {
    Epoch epoch = 0;
};
struct TermSeen {
    RunOwner owner;
};
struct InstanceMade {
    InstanceId id;
    std::uint32_t memory_mb = 0;
    InstanceProcess process;
};
struct InstanceLoaded {
    InstanceId id;
    LoadedCode code;
};
struct InstanceGone {
    InstanceId id;
};
struct Assigned {
    RunKey key;
    Token token;
    InstanceId instance;
    std::string run_token;
    std::string data_address;
    TimePoint at;
};
// The run never starts here, or what it does no longer counts.
struct Fenced {
    RunKey key;
    TimePoint at;
};
// A take that was given back or lapsed: the instance is free again.
struct Released {
    RunKey key;
};
struct Ended {
    RunKey key;
    StatusStamp stamp;
    TimePoint at;
    bool instance_usable = false;  // false, after a stop too: never loaded into again (I10)
    std::string status;            // opaque here: the whole status entry
};
struct Acked {
    RunKey key;
    TimePoint at;
};
// The host takes no more work, or takes it again.
struct DrainChanged {
    bool on = false;
    bool limited = false;  // whether `by` counts
    TimePoint by;
    std::string reason;
    TimePoint since;
};

// Durable before anybody hears of the lease.
struct Leased {
    InstanceId id;
    Lease lease;
};
// No run has started under it, and none will.
struct LeaseClosed {
    InstanceId id;
};
// The instance is gone with its lease open: a run may have started there and be lost.
struct LeaseLost {
    InstanceId id;
    TimePoint at;
};
// Before its first run where it may have several at once.
struct InstanceShared {
    InstanceId id;
    std::uint32_t places = 1;
};

using Record = std::variant<SnapshotBegun, EpochBegun, TermSeen, InstanceMade, InstanceLoaded,
                            InstanceGone, Assigned, Fenced, Released, Ended, Acked, DrainChanged,
                            Leased, LeaseClosed, LeaseLost, InstanceShared>;
using Records = std::vector<Record>;

}  // namespace longhaul::host_agent
