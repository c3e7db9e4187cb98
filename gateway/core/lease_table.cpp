#include "gateway/core/lease_table.hpp"

#include "longhaul/base/mutant.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::gateway {
namespace {

constexpr Duration kDropEvery = std::chrono::seconds(10);

}  // namespace

void LeaseTable::offer(TimePoint now, const LeaseKey& key, Lease lease) {
    if (lease.until <= now) return;
    if (now >= drop_at_ || count_ >= leases_max_) drop_lapsed(now);
    if (count_ >= leases_max_) return;
    std::vector<Lease>& of_key = leases_[key];
    count_ -=
        std::erase_if(of_key, [&](const Lease& old) { return old.instance == lease.instance; });
    of_key.push_back(std::move(lease));
    ++count_;
}

std::optional<Lease> LeaseTable::take(TimePoint now, const LeaseKey& key,
                                      const std::function<bool(const Lease&)>& suits) {
    const auto place = leases_.find(key);
    if (place == leases_.end()) return std::nullopt;
    std::vector<Lease>& of_key = place->second;
    std::optional<Lease> taken;
    while (!of_key.empty() && !taken) {
        if (mutant(Mutant::lease_given_twice) && suits(of_key.back())) return of_key.back();
        Lease latest = std::move(of_key.back());
        of_key.pop_back();
        --count_;
        const bool lives = latest.until > now || mutant(Mutant::lapsed_lease_used);
        if (lives && suits(latest)) taken = std::move(latest);
    }
    if (of_key.empty()) leases_.erase(place);
    return taken;
}

void LeaseTable::drop_lapsed(TimePoint now) {
    drop_at_ = now + kDropEvery;
    for (auto& [key, of_key] : leases_)
        count_ -= std::erase_if(of_key, [now](const Lease& lease) { return lease.until <= now; });
    std::erase_if(leases_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace longhaul::gateway
