#include "status_service/core/registry.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::status_service {

Registry::Registry(const RegistryLimits& limits) : limits_(limits) {}

Result<ReportVerdict> Registry::report(TimePoint now, const ReportStamp& stamp) {
    const auto place = hosts_.find(stamp.host);
    const bool known = place != hosts_.end();
    if (!known && hosts_.size() >= limits_.hosts_max)
        return make_error(Errc::overloaded,
                          "more than " + std::to_string(limits_.hosts_max) + " hosts",
                          "too-many-hosts");
    if (known && stamp.epoch < place->second.epoch)
        return make_error(Errc::stale,
                          "host " + stamp.host.text + " has spoken under epoch " +
                              std::to_string(place->second.epoch),
                          "stale-epoch");
    ReportVerdict verdict;
    verdict.new_epoch = known && stamp.epoch > place->second.epoch;
    KnownHost& host = hosts_[stamp.host];
    const bool first_word = !known || verdict.new_epoch;
    const std::uint64_t had = first_word ? 0 : host.last_seq;
    host.epoch = stamp.epoch;
    host.heard_at = now;
    if (stamp.first_seq == 0) {
        // An announcement alone. Changes that it names and that we never saw are missing here.
        if (first_word && stamp.last_seq > 0) verdict.snapshot_please = true;
        host.last_seq = std::max(had, stamp.last_seq);
        return verdict;
    }
    verdict.publish_changes = true;
    verdict.snapshot_please = stamp.first_seq > had + 1;
    if (!verdict.snapshot_please) verdict.prev_seq = stamp.first_seq - 1;
    host.last_seq = std::max(had, stamp.last_seq);
    return verdict;
}

std::vector<HostId> Registry::forget_silent(TimePoint now) {
    std::vector<HostId> gone;
    for (const auto& [id, host] : hosts_)
        if (host.heard_at + limits_.forget_after <= now) gone.push_back(id);
    for (const HostId& id : gone) hosts_.erase(id);
    return gone;
}

void Registry::check_invariants() const { LH_ASSERT(hosts_.size() <= limits_.hosts_max); }

}  // namespace longhaul::status_service
