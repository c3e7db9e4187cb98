// The hosts that work can go to, and what of ours is on each.
//
// Pure bookkeeping. Silence changes nothing but `suspect`; a host is gone only after host_grace.
//
// Invariant: `attempts` of a host are exactly the unended, unfenced attempts dispatched to it.
#pragma once

#include "gateway/core/event.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct HostTimes {
    Duration suspect_after = std::chrono::seconds(10);   // of silence
    Duration host_grace = std::chrono::minutes(5);       // of silence: then what ran there is lost
    Duration full_for = std::chrono::milliseconds(200);  // after a refusal for capacity
};

struct Host {
    HostNews news;
    std::uint64_t last_seq = 0;
    TimePoint heard_at{};
    bool known = false;  // announced since the start; else only named by records
    bool held = false;   // told to drain, and has not answered yet: nothing goes there
    bool suspect = false;
    TimePoint suspect_at{};  // when its silence was noticed, where suspect
    std::optional<TimePoint> full_until{};
    std::optional<TimePoint> ask_at{};  // a question is due
    std::set<std::pair<InvocationId, AttemptNumber>> attempts{};
    std::uint32_t assigned_mb = 0;
};

class HostTable {
public:
    explicit HostTable(HostTimes times) : times_(times) {}

    // Takes in an announcement. True when what it knows of our attempts should be asked: it is new,
    // has a new epoch, came back, or its sequence jumped.
    bool announce(TimePoint now, const HostNews& news);

    // A batch of changes arrived: true if something before it was missed.
    bool advance(TimePoint now, const HostId& host, Epoch epoch, std::uint64_t prev_seq,
                 std::uint64_t last_seq);

    // The best host for the function, or nothing: no capacity. Idle loaded instance first, then
    // the most free memory.
    [[nodiscard]] const Host* choose(TimePoint now, const TenantName& tenant,
                                     const FunctionSpec& function) const;

    void assign(TimePoint now, const HostId& host, const std::string& address,
                const InvocationId& id, AttemptNumber attempt, std::uint32_t memory_mb);
    void release(const HostId& host, const InvocationId& id, AttemptNumber attempt,
                 std::uint32_t memory_mb);

    // For full_for, doubled with each of `tries` after the first, up to 32 times that.
    void mark_full(TimePoint now, const HostId& host, std::uint32_t tries = 0);
    void ask_at(const HostId& host, TimePoint at);

    // An order to drain goes out: nothing new goes there until its answer, which says whether the
    // host drains now (nothing: nobody knows, and its announcements go on to say).
    void hold(const HostId& host);
    void drain_answered(const HostId& host, std::optional<bool> draining);

    // What time has brought.
    struct Due {
        std::vector<HostId> suspect{};  // newly silent
        std::vector<HostId> gone{};     // silent beyond host_grace, with attempts
        std::vector<HostId> ask{};
        bool room = false;  // a full host may have room again
    };
    [[nodiscard]] Due tick(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    [[nodiscard]] const Host* find(const HostId& host) const;
    [[nodiscard]] const std::map<HostId, Host>& all() const { return hosts_; }

private:
    [[nodiscard]] TimePoint gone_at(const Host& host) const;

    const HostTimes times_;
    std::map<HostId, Host> hosts_;
};

}  // namespace longhaul::gateway
