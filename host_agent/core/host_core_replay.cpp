// HostCore: reading the journal back, writing it anew, and the check of the invariants.
#include "host_agent/core/host_core.hpp"

#include "longhaul/base/assert.hpp"

#include <set>

namespace longhaul::host_agent {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

// nullptr: it is gone.
Instance* find_in(std::map<InstanceId, Instance>& instances, const InstanceId& id) {
    const auto place = instances.find(id);
    return place == instances.end() ? nullptr : &place->second;
}

}  // namespace

void HostCore::apply(const Record& record) {
    std::visit(Overloaded{
                   [&](const SnapshotBegun&) {
                       terms_.clear();
                       instances_.clear();
                       runs_.clear();
                       changes_.clear();
                       fences_.clear();
                       fence_order_.clear();
                       lost_leases_.clear();
                       drain_.reset();
                   },
                   [&](const EpochBegun& it) { epoch_ = std::max(epoch_, it.epoch); },
                   [&](const TermSeen& it) {
                       OwnerTerm& highest = terms_[it.owner.shard];
                       highest = std::max(highest, it.owner.term);
                   },
                   [&](const InstanceMade& it) {
                       Instance& instance = instances_[it.id];
                       instance.id = it.id;
                       instance.state = InstanceState::unproven;
                       instance.memory_mb = it.memory_mb;
                       instance.process = it.process;
                   },
                   [&](const InstanceLoaded& it) {
                       if (Instance* of = find_in(instances_, it.id)) of->loaded = it.code;
                   },
                   [&](const InstanceGone& it) {
                       const Instance* gone = instance(it.id);
                       if (gone != nullptr && gone->lease) remember_lost(it.id, gone->lease->at);
                       instances_.erase(it.id);
                   },
                   [&](const Assigned& it) { apply_assigned(it); },
                   [&](const Fenced& it) {
                       remember_fence(it.key, it.at);
                       const auto place = runs_.find(it.key);
                       if (place != runs_.end()) place->second.fenced = true;
                   },
                   [&](const Released& it) {
                       const Run* released = run(it.key);
                       if (released == nullptr) return;
                       const auto place = instances_.find(released->instance);
                       if (place != instances_.end()) place->second.runs.erase(it.key);
                       forget(it.key);
                   },
                   [&](const Ended& it) { apply_ended(it); },
                   [&](const Acked& it) {
                       forget(it.key);
                       remember_fence(it.key, it.at);
                   },
                   [&](const DrainChanged& it) {
                       drain_.reset();
                       if (!it.on) return;
                       drain_ = DrainOrder{{}, it.reason, it.since};
                       if (it.limited) drain_->by = it.by;
                   },
                   [&](const Leased& it) {
                       if (Instance* of = find_in(instances_, it.id)) of->lease = it.lease;
                   },
                   [&](const LeaseClosed& it) {
                       if (Instance* of = find_in(instances_, it.id)) no_lease(*of);
                   },
                   [&](const LeaseLost& it) { remember_lost(it.id, it.at); },
                   [&](const InstanceShared& it) {
                       if (Instance* of = find_in(instances_, it.id)) of->places = it.places;
                   },
               },
               record);
}

void HostCore::apply_assigned(const Assigned& record) {
    Run& run = runs_[record.key];
    run.state = RunState::assigned;
    run.token = record.token;
    run.instance = record.instance;
    run.run_token = record.run_token;
    run.data_address = record.data_address;
    run.taken_at = record.at;
    run.stamp = {kRankDispatched, 0};
    run.fenced = fences_.contains(record.key);
    const auto place = instances_.find(record.instance);
    if (place == instances_.end()) return;
    place->second.runs.insert(record.key);
    no_lease(place->second);
}

void HostCore::apply_ended(const Ended& record) {
    const auto place = runs_.find(record.key);
    if (place == runs_.end()) return;
    Run& run = place->second;
    run.state = RunState::ended;
    run.stamp = record.stamp;
    run.ended_at = record.at;
    const auto instance = instances_.find(run.instance);
    if (instance == instances_.end() || instance->second.runs.erase(record.key) == 0) return;
    if (!record.instance_usable) instance->second.loaded.reset();
}

// REQUIRES the driver to fill in Ended::status, which the core never keeps.
Records HostCore::snapshot() const {
    Records out;
    out.push_back(SnapshotBegun{});
    out.push_back(EpochBegun{epoch_});
    for (const auto& [shard, term] : terms_) out.push_back(TermSeen{{shard, term}});
    if (drain_)
        out.push_back(DrainChanged{true, drain_->by.has_value(), drain_->by.value_or(TimePoint{}),
                                   drain_->reason, drain_->since});
    for (const auto& [id, instance] : instances_) {
        if (!instance.process) continue;
        out.push_back(InstanceMade{id, instance.memory_mb, *instance.process});
        const bool worn = instance.worn || instance.state == InstanceState::broken ||
                          instance.state == InstanceState::destroying;
        if (instance.loaded && !worn) out.push_back(InstanceLoaded{id, *instance.loaded});
        if (instance.places > 1) out.push_back(InstanceShared{id, instance.places});
    }
    for (const auto& [at, key] : fence_order_) out.push_back(Fenced{key, at});
    // Ended ones first: an instance may serve another run by now, which must have the last word.
    for (const bool ended_ones : {true, false}) {
        for (const auto& [key, run] : runs_) {
            if (run.state == RunState::taking) continue;
            if ((run.state == RunState::ended) != ended_ones) continue;
            out.push_back(Assigned{key, run.token, run.instance, run.run_token, run.data_address,
                                   run.taken_at});
            if (ended_ones) out.push_back(Ended{key, run.stamp, run.ended_at, true, {}});
        }
    }
    for (const auto& [id, instance] : instances_)
        if (instance.process && instance.lease) out.push_back(Leased{id, *instance.lease});
    for (const auto& [id, at] : lost_leases_) out.push_back(LeaseLost{id, at});
    return out;
}

void HostCore::check_invariants() const {
    std::uint64_t count = 0;
    for (const auto& [id, instance] : instances_) {
        LH_ASSERT(instance.id == id);
        if (instance.state != InstanceState::destroying) ++count;
        if (instance.state == InstanceState::idle) {
            LH_ASSERT(instance.runs.empty());
            LH_ASSERT(instance.loaded);
        }
        if (instance.lease) {
            LH_ASSERT(instance.state == InstanceState::idle ||
                      instance.state == InstanceState::unproven);
            LH_ASSERT(instance.runs.empty());
        }
        LH_ASSERT(instance.runs.size() <= instance.places);
        for (const RunKey& key : instance.runs) {
            const Run* held = run(key);
            LH_ASSERT(held != nullptr);
            LH_ASSERT(held->instance == id);
            LH_ASSERT(held->state != RunState::ended);
        }
    }
    LH_ASSERT(count <= limits_.instances_max || !complete());
    std::set<std::uint64_t> seqs;
    for (const auto& [key, run] : runs_) {
        LH_ASSERT(run.seq <= last_seq_);
        if (run.seq == 0) continue;
        LH_ASSERT(seqs.insert(run.seq).second);
        LH_ASSERT(changes_.contains(run.seq));
    }
    LH_ASSERT(changes_.size() == seqs.size());
    LH_ASSERT(fences_.size() == fence_order_.size());
}

}  // namespace longhaul::host_agent
