// Idle instances that hosts have leased to this gateway: where the next run of a function may be
// started without a take.
//
// Pure bookkeeping, lost with the process. A lease is a hint about the future: whether a run really
// starts under it only the runtime agent decides, and a refusal costs one message. So nothing here
// is durable, and what is in doubt is dropped.
//
// Invariants: (1) a lease is given out at most once; (2) an instance has at most one lease here.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::gateway {

// What an instance has loaded, exactly.
struct LeaseKey {
    TenantName tenant;
    FunctionName function;
    Digest version;

    friend auto operator<=>(const LeaseKey&, const LeaseKey&) = default;
};

struct Lease {
    HostId host;
    Epoch epoch = 0;  // of the host, when it gave the lease
    InstanceId instance;
    std::string address;    // of the runtime agent's data listener
    std::string run_token;  // of the one run
    TimePoint until{};      // on our own clock, its margin taken off
};

class LeaseTable {
public:
    // At most `leases_max` are kept; what comes above that is dropped.
    explicit LeaseTable(std::size_t leases_max) : leases_max_(leases_max) {}

    void offer(TimePoint now, const LeaseKey& key, Lease lease);

    // The latest of `key` that has not lapsed and that `suits`; it, and later ones
    // that do not, are gone from here then.
    [[nodiscard]] std::optional<Lease> take(TimePoint now, const LeaseKey& key,
                                            const std::function<bool(const Lease&)>& suits);

    [[nodiscard]] std::size_t size() const { return count_; }

private:
    void drop_lapsed(TimePoint now);

    const std::size_t leases_max_;
    std::map<LeaseKey, std::vector<Lease>> leases_;  // the latest last
    std::size_t count_ = 0;
    TimePoint drop_at_{};  // when it is worth looking for lapsed ones
};

}  // namespace longhaul::gateway
