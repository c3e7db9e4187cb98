// HostCore: instances leased ahead, from the offer to the run that used it or the word that none
// did.
#include "host_agent/core/host_core.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::host_agent {

std::optional<RunOwner> HostCore::lessee(const RunKey& key) const {
    const Run* of = run(key);
    if (of == nullptr || !of->shard || limits_.instance_lease <= Duration::zero()) return {};
    const Instance* place = instance(of->instance);
    if (place == nullptr || place->places > 1 || !place->loaded ||
        place->loaded->keep_alive <= Duration::zero())
        return {};
    const auto term = terms_.find(*of->shard);
    return RunOwner{*of->shard, term == terms_.end() ? 0 : term->second};
}

bool HostCore::lease(TimePoint now, const RunKey& after, const Lease& lease,
                     const std::string& data_address, Records& out) {
    const Run* ended_run = run(after);
    if (ended_run == nullptr || ended_run->state != RunState::ended) return false;
    const auto place = instances_.find(ended_run->instance);
    if (place == instances_.end()) return false;
    Instance& instance = place->second;
    if (instance.state != InstanceState::idle || instance.lease) return false;
    instance.lease = lease;
    instance.lease_until = now + std::min(limits_.instance_lease, instance.loaded->keep_alive);
    instance.lease_after = after;
    instance.lease_address = data_address;
    out.push_back(Leased{instance.id, lease});
    return true;
}

void HostCore::lease_stuck(const InstanceId& id) {
    const auto place = instances_.find(id);
    if (place == instances_.end() || !place->second.lease) return;
    place->second.lease_stuck = true;
    place->second.lease_until = place->second.lease->at;
}

const Instance* HostCore::leased_after(TimePoint now, const RunKey& key) const {
    const Run* ended_run = run(key);
    if (ended_run == nullptr || ended_run->state != RunState::ended) return nullptr;
    const Instance* leased = instance(ended_run->instance);
    if (leased == nullptr || !leased->lease || leased->lease_until <= now) return nullptr;
    return leased->lease_after == key ? leased : nullptr;
}

// An attempt that is fenced or acknowledged here is old news, told late.
bool HostCore::adopt(TimePoint now, const RunKey& key, const Token& token, const InstanceId& id,
                     const std::string& data_address, Records& out) {
    const auto place = instances_.find(id);
    if (place == instances_.end() || !place->second.lease) return false;
    if (runs_.contains(key) || fences_.contains(key)) return false;
    Instance& instance = place->second;
    LH_ASSERT(instance.state == InstanceState::idle);
    Run& run = runs_[key];
    run.state = RunState::assigned;
    run.token = token;
    run.instance = id;
    run.run_token = instance.lease->run_token;
    run.data_address = data_address;
    run.taken_at = now;
    run.stamp = {kRankDispatched, 0};
    run.shard = instance.lease->owner.shard;
    instance.state = InstanceState::taken;
    instance.runs.insert(key);
    no_lease(instance);
    out.push_back(Assigned{key, token, id, run.run_token, data_address, now});
    return true;
}

void HostCore::close_lease(const InstanceId& id, Records& out) {
    const auto place = instances_.find(id);
    if (place == instances_.end() || !place->second.lease) return;
    no_lease(place->second);
    out.push_back(LeaseClosed{id});
}

bool HostCore::adopt_lost(TimePoint now, const RunKey& key, const Token& token,
                          const InstanceId& id, Records& out) {
    if (!lost_with_lease(id) || runs_.contains(key) || fences_.contains(key)) return false;
    Run& run = runs_[key];
    run.state = RunState::assigned;
    run.token = token;
    run.instance = id;
    run.taken_at = now;
    run.stamp = {kRankDispatched, 0};
    out.push_back(Assigned{key, token, id, {}, {}, now});
    return true;
}

bool HostCore::lost_with_lease(const InstanceId& id) const { return lost_leases_.contains(id); }

std::vector<InstanceId> HostCore::leases_due(TimePoint now) const {
    std::vector<InstanceId> due;
    for (const auto& [id, instance] : instances_) {
        if (instance.state != InstanceState::idle || !instance.lease) continue;
        const RunOwner& lessee = instance.lease->owner;
        const auto term = terms_.find(lessee.shard);
        const bool succeeded = term != terms_.end() && term->second > lessee.term;
        if (succeeded || instance.lease_until <= now) due.push_back(id);
    }
    return due;
}

void HostCore::fence(TimePoint now, const RunKey& key, Records& out) {
    blocked_.erase(key);
    if (fences_.contains(key)) return;
    remember_fence(key, now);
    out.push_back(Fenced{key, now});
}

void HostCore::no_lease(Instance& instance) {
    instance.lease.reset();
    instance.lease_after.reset();
    instance.lease_address.clear();
    instance.lease_stuck = false;
}

void HostCore::remember_lost(const InstanceId& id, TimePoint at) { lost_leases_.emplace(id, at); }

}  // namespace longhaul::host_agent
