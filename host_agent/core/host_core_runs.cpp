// HostCore: status, ends, kills, acknowledgements, time.
#include "host_agent/core/host_core.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>
#include <tuple>

namespace longhaul::host_agent {
namespace {

bool newer(StatusStamp left, StatusStamp right) {
    return std::tie(left.rank, left.version) > std::tie(right.rank, right.version);
}

}  // namespace

bool HostCore::observe(const RunKey& key, const InstanceId& from, StatusStamp stamp) {
    const auto place = runs_.find(key);
    if (place == runs_.end()) return false;
    Run& run = place->second;
    if (run.instance != from || run.state == RunState::taking || run.state == RunState::ended)
        return false;
    if (stamp.rank >= kRankEnded || !newer(stamp, run.stamp)) return false;
    const bool is_step = run.state != RunState::active || stamp.rank != run.stamp.rank;
    run.state = RunState::active;
    run.stamp = stamp;
    changed(key, run, is_step ? Urgency::urgent : Urgency::may_wait);
    return true;
}

bool HostCore::ended(TimePoint now, const RunKey& key, StatusStamp stamp, std::string status,
                     bool instance_usable, Records& out) {
    const auto place = runs_.find(key);
    if (place == runs_.end()) return false;
    Run& run = place->second;
    if (run.state == RunState::taking || run.state == RunState::ended) return false;
    run.state = RunState::ended;
    run.ended_at = now;
    run.stamp = {kRankEnded, std::max(stamp.version, run.stamp.version)};
    free_instance(run.instance, key, now, instance_usable);
    changed(key, run);
    out.push_back(Ended{key, run.stamp, now, instance_usable, std::move(status)});
    return true;
}

KillDecision HostCore::kill(TimePoint now, const RunOwner& owner, const RunKey& key, bool fence,
                            const InstanceId& sent_to, Records& out) {
    if (!obey(owner, out)) return {KillVerdict::stale};
    const auto place = runs_.find(key);
    if (place == runs_.end()) {
        const Instance* leased = instance(sent_to);
        if (!fences_.contains(key) && leased != nullptr && leased->lease) {
            blocked_.insert(key);
            return {KillVerdict::ask, sent_to};
        }
        if (!fences_.contains(key) && lost_with_lease(sent_to)) return {KillVerdict::lost, sent_to};
        this->fence(now, key, out);
        return {KillVerdict::fenced};
    }
    Run& run = place->second;
    if (run.state == RunState::ended) {
        changed(key, run);
        return {KillVerdict::ended};
    }
    const bool never_starts = run.state == RunState::taking;
    if ((fence || never_starts) && !run.fenced) {
        run.fenced = true;
        remember_fence(key, now);
        out.push_back(Fenced{key, now});
    }
    if (never_starts) return {KillVerdict::fenced};
    return {KillVerdict::forward, run.instance};
}

bool HostCore::ack(TimePoint now, const RunKey& key, Records& out) {
    const auto place = runs_.find(key);
    if (place == runs_.end() || place->second.state != RunState::ended) return false;
    forget(key);
    // A repeated take of it, late on the wire, must not run it again.
    remember_fence(key, now);
    out.push_back(Acked{key, now});
    return true;
}

std::vector<InstanceId> HostCore::retire(TimePoint now) {
    std::vector<InstanceId> due;
    for (auto& [id, instance] : instances_) {
        const bool worn = instance.state == InstanceState::broken;
        const bool idle = instance.state == InstanceState::idle && !instance.lease;
        const bool old = idle && (drain() != nullptr ||
                                  instance.idle_since + instance.loaded->keep_alive <= now);
        if (!worn && !old) continue;
        instance.state = InstanceState::destroying;
        due.push_back(id);
    }
    return due;
}

void HostCore::begin_drain(DrainOrder order, Records& out) {
    if (drain_ == order) return;
    out.push_back(DrainChanged{true, order.by.has_value(), order.by.value_or(TimePoint{}),
                               order.reason, order.since});
    drain_ = std::move(order);
}

void HostCore::end_drain(Records& out) {
    if (!drain_) return;
    drain_.reset();
    out.push_back(DrainChanged{});
}

const DrainOrder* HostCore::drain() const {
    if (!drain_ || !leaving_) return drain_ ? &*drain_ : leaving_ ? &*leaving_ : nullptr;
    const bool leaves_first = leaving_->by && (!drain_->by || *leaving_->by < *drain_->by);
    return leaves_first ? &*leaving_ : &*drain_;
}

std::vector<RunKey> HostCore::drain_due(TimePoint now) {
    std::vector<RunKey> due;
    const DrainOrder* order = drain();
    if (order == nullptr || !order->by || *order->by > now) return due;
    for (auto& [key, run] : runs_) {
        if (run.state == RunState::ended || run.drain_stopped) continue;
        run.drain_stopped = run.state != RunState::taking;
        due.push_back(key);
    }
    return due;
}

std::vector<RunKey> HostCore::blocking() const {
    std::vector<RunKey> keys;
    for (const auto& [key, run] : runs_)
        if (run.state != RunState::ended || !run.fenced) keys.push_back(key);
    return keys;
}

bool HostCore::drained() const {
    return drain() != nullptr && instances_.empty() && blocking().empty();
}

std::vector<RunKey> HostCore::lapsed(TimePoint now) {
    std::vector<RunKey> due;
    for (auto& [key, run] : runs_) {
        if (run.state != RunState::assigned || run.lease_checked) continue;
        if (run.taken_at + limits_.take_lease > now) continue;
        run.lease_checked = true;
        due.push_back(key);
    }
    return due;
}

void HostCore::forget_old(TimePoint now) {
    std::vector<RunKey> forgotten;
    for (const auto& [key, run] : runs_)
        if (run.state == RunState::ended && run.fenced &&
            run.ended_at + limits_.fence_retention <= now)
            forgotten.push_back(key);
    for (const RunKey& key : forgotten) forget(key);
    while (!fence_order_.empty() && fence_order_.front().first + limits_.fence_retention <= now) {
        fences_.erase(fence_order_.front().second);
        fence_order_.pop_front();
    }
    std::erase_if(lost_leases_,
                  [&](const auto& lost) { return lost.second + limits_.fence_retention <= now; });
}

std::optional<TimePoint> HostCore::next_deadline() const {
    std::optional<TimePoint> next;
    const auto sooner = [&next](TimePoint when) {
        if (!next || when < *next) next = when;
    };
    for (const auto& [id, instance] : instances_) {
        if (instance.state == InstanceState::broken) sooner(instance.idle_since);
        if (instance.state == InstanceState::idle && instance.lease)
            sooner(instance.lease_until);
        else if (instance.state == InstanceState::idle)
            sooner(instance.idle_since + instance.loaded->keep_alive);
    }
    for (const auto& [key, run] : runs_) {
        if (run.state == RunState::assigned && !run.lease_checked)
            sooner(run.taken_at + limits_.take_lease);
        if (run.state == RunState::ended && run.fenced)
            sooner(run.ended_at + limits_.fence_retention);
    }
    if (!fence_order_.empty()) sooner(fence_order_.front().first + limits_.fence_retention);
    return next;
}

bool HostCore::complete() const {
    return std::ranges::none_of(instances_, [](const auto& entry) {
        return entry.second.state == InstanceState::unproven;
    });
}

const Run* HostCore::run(const RunKey& key) const {
    const auto place = runs_.find(key);
    return place == runs_.end() ? nullptr : &place->second;
}

const Instance* HostCore::instance(const InstanceId& id) const {
    const auto place = instances_.find(id);
    return place == instances_.end() ? nullptr : &place->second;
}

bool HostCore::is_fenced(const RunKey& key) const { return fences_.contains(key); }

std::vector<std::pair<std::uint64_t, RunKey>> HostCore::changes_after(std::uint64_t seq,
                                                                      std::size_t max) const {
    std::vector<std::pair<std::uint64_t, RunKey>> changes;
    for (auto place = changes_.upper_bound(seq); place != changes_.end() && changes.size() < max;
         ++place)
        changes.emplace_back(*place);
    return changes;
}

std::uint32_t HostCore::memory_busy_mb() const {
    std::uint64_t sum = 0;
    for (const auto& [id, instance] : instances_)
        if (!instance.runs.empty()) sum += instance.memory_mb;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
}

AttemptDigest HostCore::digest() const {
    AttemptDigest digest;
    for (const auto& [key, run] : runs_)
        if (run.state != RunState::taking) digest.add(key.invocation, key.attempt, run.stamp.rank);
    return digest;
}

void HostCore::changed(const RunKey& key, Run& run, Urgency urgency) {
    if (run.seq != 0) changes_.erase(run.seq);
    run.seq = ++last_seq_;
    if (urgency == Urgency::urgent) urgent_seq_ = last_seq_;
    changes_.emplace(run.seq, key);
}

void HostCore::forget(const RunKey& key) {
    const auto place = runs_.find(key);
    if (place == runs_.end()) return;
    if (place->second.seq != 0) changes_.erase(place->second.seq);
    runs_.erase(place);
}

void HostCore::remember_fence(const RunKey& key, TimePoint at) {
    if (!fences_.emplace(key, at).second) return;
    fence_order_.emplace_back(at, key);
    if (fences_.size() <= limits_.fences_max) return;
    fences_.erase(fence_order_.front().second);
    fence_order_.pop_front();
}

}  // namespace longhaul::host_agent
