// What the hosts last said: who is there, how far each one's numbers go, and what a report is worth
// passing on.
//
// Pure. It never renumbers and never decides: a report goes on as it came, under its own host,
// epoch and numbers. Statuses themselves are kept by the driver under the same merge rule.
//
// All of it is lost with the process. Then what was sent on before is unknown: it says so, and asks
// each host to report everything again.
//
// Invariants (check_invariants() verifies them):
//   (1) A host's epoch never goes back; a report of an older one is refused.
//   (2) At most limits.hosts_max hosts are known; one more is refused, until another was silent for
//       limits.forget_after.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace longhaul::status_service {

struct RegistryLimits {
    std::uint32_t hosts_max = 10'000;
    Duration forget_after = std::chrono::hours(1);  // of silence
};

// A report, as far as the registry cares.
struct ReportStamp {
    HostId host;
    Epoch epoch = 0;
    std::uint64_t first_seq = 0;  // 0 = no changes
    std::uint64_t last_seq = 0;
};

struct ReportVerdict {
    bool publish_changes = false;             // the batch goes on as it is
    std::optional<std::uint64_t> prev_seq{};  // what was sent on before it; none = unknown
    bool snapshot_please = false;             // this registry lacks what came before
    bool new_epoch = false;                   // what is kept of the host's earlier life is void
};

struct KnownHost {
    Epoch epoch = 0;
    std::uint64_t last_seq = 0;
    TimePoint heard_at{};
};

class Registry {
public:
    explicit Registry(const RegistryLimits& limits);

    // Errc::stale: a newer epoch was heard. Errc::overloaded: too many hosts.
    [[nodiscard]] Result<ReportVerdict> report(TimePoint now, const ReportStamp& stamp);

    // Hosts that were silent for too long: no more known.
    [[nodiscard]] std::vector<HostId> forget_silent(TimePoint now);

    [[nodiscard]] const std::map<HostId, KnownHost>& hosts() const { return hosts_; }
    void check_invariants() const;

private:
    // Constant after construction.
    const RegistryLimits limits_;

    std::map<HostId, KnownHost> hosts_;
};

}  // namespace longhaul::status_service
