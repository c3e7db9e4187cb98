#include "host_agent/core/host_core.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::host_agent {
namespace {

// Whoever asks for an instance while a lease of its own shard waits has no use for the lease.
bool may_close(TimePoint now, const Instance& instance, const RunOwner& asker) {
    if (instance.lease_stuck) return false;
    return instance.lease_until <= now || instance.lease->owner.shard == asker.shard;
}

}  // namespace

HostCore::HostCore(const CoreLimits& limits) : limits_(limits) {}

void HostCore::bound_instances(std::uint32_t most) {
    limits_.instances_max = std::min(limits_.instances_max, most);
}

void HostCore::begin_epoch(TimePoint now, Records& out) {
    const auto unix_seconds = static_cast<Epoch>(std::max<std::int64_t>(0, to_unix_ms(now) / 1000));
    epoch_ = std::max(epoch_ + 1, unix_seconds);
    out.push_back(EpochBegun{epoch_});
    for (auto& [id, instance] : instances_) {
        instance.state = InstanceState::unproven;
        instance.idle_since = now;
        instance.lease_until = now + limits_.instance_lease;
    }
    for (auto& [key, run] : runs_) {
        changed(key, run);
        if (run.state == RunState::assigned) run.taken_at = now;
    }
}

void HostCore::raise_epoch(Epoch floor, Records& out) {
    epoch_ = std::max(epoch_, floor) + 1;
    out.push_back(EpochBegun{epoch_});
    for (auto& [key, run] : runs_) changed(key, run);
}

bool HostCore::obey(const RunOwner& owner, Records& out) {
    OwnerTerm& highest = terms_[owner.shard];
    if (owner.term < highest) return false;
    if (owner.term == highest) return true;
    highest = owner.term;
    out.push_back(TermSeen{owner});
    return true;
}

TakeDecision HostCore::take(TimePoint now, const TakeInput& input, Records& out) {
    if (!obey(input.owner, out)) return {TakeVerdict::stale};
    if (auto decision = known(input)) return *decision;
    if (drain() != nullptr) return {TakeVerdict::draining};
    if (runs_.size() >= limits_.runs_max) return {TakeVerdict::overloaded};

    TakeDecision decision;
    const Instance* idle = place_for(input);
    if (idle == nullptr) idle = idle_for(input.code);
    if (idle == nullptr) {
        if (const Instance* leased = leased_for(now, input))
            return {TakeVerdict::close, {}, {}, {leased->id}};
    }
    if (idle != nullptr) {
        decision.verdict = TakeVerdict::reuse;
        decision.instance = idle->id;
        Instance& instance = instances_.at(idle->id);
        if (instance.state == InstanceState::idle) instance.state = InstanceState::taken;
        instance.runs.insert(input.key);
    } else {
        auto evict = make_room(now, input, false);
        if (!evict) {
            auto close = make_room(now, input, true);
            if (!close) return {TakeVerdict::no_capacity};
            std::erase_if(*close, [this](const auto& id) { return !instances_.at(id).lease; });
            return {TakeVerdict::close, {}, {}, std::move(*close)};
        }
        LH_ASSERT(!instances_.contains(input.fresh));
        decision.verdict = TakeVerdict::start;
        decision.instance = input.fresh;
        decision.evict = std::move(*evict);
        for (const InstanceId& id : decision.evict)
            instances_.at(id).state = InstanceState::destroying;
        instances_.emplace(input.fresh, Instance{.id = input.fresh,
                                                 .state = InstanceState::starting,
                                                 .memory_mb = input.memory_mb,
                                                 .places = input.places,
                                                 .loading = input.code,
                                                 .runs = {input.key}});
    }
    Run& run = runs_[input.key];
    run.token = input.token;
    run.instance = decision.instance;
    run.taken_at = now;
    run.shard = input.owner.shard;
    return decision;
}

// What is decided by the past of this very attempt, if anything is.
std::optional<TakeDecision> HostCore::known(const TakeInput& input) const {
    if (fences_.contains(input.key) || blocked_.contains(input.key) || superseded(input.key))
        return TakeDecision{TakeVerdict::fenced};
    const Run* existing = run(input.key);
    if (existing == nullptr) return std::nullopt;
    if (existing->token != input.token) return TakeDecision{TakeVerdict::mismatch};
    if (existing->fenced) return TakeDecision{TakeVerdict::fenced};
    switch (existing->state) {
    case RunState::taking: return TakeDecision{TakeVerdict::in_progress};
    case RunState::ended: return TakeDecision{TakeVerdict::ended};
    case RunState::assigned:
    case RunState::active: break;
    }
    return TakeDecision{TakeVerdict::answered, existing->instance};
}

// A later attempt of the same invocation was seen: its owner has ended or fenced this one.
bool HostCore::superseded(const RunKey& key) const {
    const auto next_run = runs_.upper_bound(key);
    if (next_run != runs_.end() && next_run->first.invocation == key.invocation) return true;
    const auto next_fence = fences_.upper_bound(key);
    return next_fence != fences_.end() && next_fence->first.invocation == key.invocation;
}

// A free place beside other runs: where the code is loaded already, and where most are, so that the
// others grow idle.
const Instance* HostCore::place_for(const TakeInput& input) const {
    const Instance* best = nullptr;
    const auto rank = [](const Instance& instance) {
        return std::pair(instance.state == InstanceState::taken, instance.runs.size());
    };
    for (const auto& [id, instance] : instances_) {
        const bool is_taken = instance.state == InstanceState::taken;
        if (!is_taken && instance.state != InstanceState::starting) continue;
        if (instance.worn || instance.runs.size() >= instance.places) continue;
        const auto& code = is_taken ? instance.loaded : instance.loading;
        if (!code || !code->serves(input.code)) continue;
        const bool has_it = std::ranges::any_of(instance.runs, [&input](const RunKey& key) {
            return key.invocation == input.key.invocation;
        });
        if (has_it) continue;
        if (best == nullptr || rank(instance) > rank(*best)) best = &instance;
    }
    return best;
}

// The most recently used one, so that the others grow old and are given up.
const Instance* HostCore::idle_for(const LoadedCode& code) const {
    const Instance* best = nullptr;
    for (const auto& [id, instance] : instances_) {
        if (instance.state != InstanceState::idle || instance.lease) continue;
        if (!instance.loaded->serves(code)) continue;
        if (best == nullptr || instance.idle_since > best->idle_since) best = &instance;
    }
    return best;
}

// As idle_for(), among those whose lease may be closed for it.
const Instance* HostCore::leased_for(TimePoint now, const TakeInput& input) const {
    const Instance* best = nullptr;
    for (const auto& [id, instance] : instances_) {
        if (instance.state != InstanceState::idle || !instance.lease) continue;
        if (!instance.loaded->serves(input.code) || !may_close(now, instance, input.owner))
            continue;
        if (best == nullptr || instance.idle_since > best->idle_since) best = &instance;
    }
    return best;
}

// The least recently used idle instances that must go for one more; nothing if all of them together
// would not be enough.
std::optional<std::vector<InstanceId>> HostCore::make_room(TimePoint now, const TakeInput& input,
                                                           bool with_leased) const {
    std::uint64_t count = 1;
    std::uint64_t memory = input.memory_mb;
    std::vector<const Instance*> idle;
    for (const auto& [id, instance] : instances_) {
        if (instance.state == InstanceState::destroying) continue;
        ++count;
        memory += instance.memory_mb;
        if (instance.state != InstanceState::idle) continue;
        if (!instance.lease || (with_leased && may_close(now, instance, input.owner)))
            idle.push_back(&instance);
    }
    std::ranges::sort(idle, {}, &Instance::idle_since);
    std::vector<InstanceId> evict;
    for (const Instance* instance : idle) {
        if (count <= limits_.instances_max && memory <= limits_.memory_mb) break;
        --count;
        memory -= instance->memory_mb;
        evict.push_back(instance->id);
    }
    if (count > limits_.instances_max || memory > limits_.memory_mb) return std::nullopt;
    return evict;
}

void HostCore::made(const InstanceId& id, const InstanceProcess& process, Records& out) {
    Instance& instance = instances_.at(id);
    instance.process = process;
    out.push_back(InstanceMade{id, instance.memory_mb, process});
}

void HostCore::loaded(const InstanceId& id, const LoadedCode& code, Records& out) {
    Instance& instance = instances_.at(id);
    instance.loaded = code;
    instance.loading.reset();
    if (instance.state == InstanceState::starting) instance.state = InstanceState::taken;
    out.push_back(InstanceLoaded{id, code});
    if (instance.places > 1) out.push_back(InstanceShared{id, instance.places});
}

bool HostCore::assigned(TimePoint now, const RunKey& key, const std::string& run_token,
                        const std::string& data_address, Records& out) {
    const auto place = runs_.find(key);
    if (place == runs_.end() || place->second.state != RunState::taking) return false;
    Run& run = place->second;
    if (run.fenced) {
        abandon(now, key, false);
        return false;
    }
    run.state = RunState::assigned;
    run.run_token = run_token;
    run.data_address = data_address;
    run.taken_at = now;
    run.stamp = {kRankDispatched, 0};
    out.push_back(Assigned{key, run.token, run.instance, run_token, data_address, now});
    return true;
}

void HostCore::abandon(TimePoint now, const RunKey& key, bool broken) {
    const auto found_run = runs_.find(key);
    if (found_run == runs_.end()) return;
    LH_ASSERT(found_run->second.state == RunState::taking);
    free_instance(found_run->second.instance, key, now, !broken);
    forget(key);
}

bool HostCore::release(TimePoint now, const RunKey& key, Records& out) {
    const auto found_run = runs_.find(key);
    if (found_run == runs_.end() || found_run->second.state != RunState::assigned) return false;
    free_instance(found_run->second.instance, key, now, true);
    forget(key);
    out.push_back(Released{key});
    return true;
}

void HostCore::lapse(TimePoint now, const RunKey& key, Records& out) {
    fence(now, key, out);
    (void)release(now, key, out);
}

void HostCore::found(const InstanceId& id) {
    const auto place = instances_.find(id);
    if (place == instances_.end() || place->second.state != InstanceState::unproven) return;
    Instance& instance = place->second;
    if (!instance.runs.empty())
        instance.state = InstanceState::taken;
    else
        instance.state =
            instance.loaded && !instance.worn ? InstanceState::idle : InstanceState::broken;
}

void HostCore::broken(const InstanceId& id, Records& out) {
    const auto place = instances_.find(id);
    if (place == instances_.end()) return;
    Instance& instance = place->second;
    instance.worn = true;
    if (instance.state != InstanceState::idle) return;
    close_lease(id, out);
    instance.state = InstanceState::broken;
}

bool HostCore::begin_destroy(const InstanceId& id) {
    const auto place = instances_.find(id);
    if (place == instances_.end() || place->second.state == InstanceState::destroying) return false;
    place->second.state = InstanceState::destroying;
    return true;
}

std::set<RunKey> HostCore::dead(const InstanceId& id, Records& out) {
    const auto place = instances_.find(id);
    if (place == instances_.end()) return {};
    std::set<RunKey> runs = std::move(place->second.runs);
    if (place->second.process) out.push_back(InstanceGone{id});
    if (place->second.lease) remember_lost(id, place->second.lease->at);
    instances_.erase(place);
    return runs;
}

void HostCore::free_instance(const InstanceId& id, const RunKey& key, TimePoint now, bool usable) {
    const auto place = instances_.find(id);
    if (place == instances_.end()) return;
    Instance& instance = place->second;
    instance.runs.erase(key);
    instance.worn = instance.worn || !usable;
    if (!instance.runs.empty()) return;
    instance.idle_since = now;
    if (instance.state == InstanceState::destroying) return;
    instance.state =
        !instance.worn && instance.loaded ? InstanceState::idle : InstanceState::broken;
}

}  // namespace longhaul::host_agent
