#include "gateway/core/host_table.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

void keep_earliest(std::optional<TimePoint>& best, std::optional<TimePoint> candidate) {
    if (candidate && (!best || *candidate < *best)) best = candidate;
}

}  // namespace

bool HostTable::announce(TimePoint now, const HostNews& news) {
    Host& host = hosts_[news.host];
    // A host that was re-imaged or cloned under the same name cannot speak with an older epoch.
    if (host.known && news.epoch < host.news.epoch) return false;
    const bool returned = host.suspect;
    const bool fresh = !host.known || news.epoch != host.news.epoch;
    const bool missed = !fresh && news.last_seq > host.last_seq;
    host.news = news;
    host.known = true;
    host.suspect = false;
    host.heard_at = now;
    host.last_seq = news.last_seq;
    host.full_until.reset();
    return (fresh || returned || missed) && !host.attempts.empty();
}

bool HostTable::advance(TimePoint now, const HostId& id, Epoch epoch, std::uint64_t prev_seq,
                        std::uint64_t last_seq) {
    const auto place = hosts_.find(id);
    if (place == hosts_.end() || !place->second.known) return false;
    Host& host = place->second;
    if (epoch < host.news.epoch) return false;
    host.heard_at = now;
    host.suspect = false;
    const bool missed = epoch != host.news.epoch || prev_seq == 0 || prev_seq > host.last_seq;
    host.news.epoch = epoch;
    host.last_seq = std::max(host.last_seq, last_seq);
    host.full_until.reset();
    return missed && !host.attempts.empty();
}

const Host* HostTable::choose(TimePoint now, const TenantName& tenant,
                              const FunctionSpec& function) const {
    const Host* best = nullptr;
    std::pair<bool, std::uint32_t> best_score{};
    for (const auto& [id, host] : hosts_) {
        if (!host.known || host.suspect || host.held || host.news.draining) continue;
        if (host.full_until && *host.full_until > now) continue;
        if (host.attempts.size() >= host.news.instances_max) continue;
        if (host.assigned_mb + function.memory_mb > host.news.memory_mb) continue;
        const bool loaded = std::ranges::any_of(host.news.loaded, [&](const auto& pair) {
            return pair.first == tenant && pair.second == function.name;
        });
        const std::pair<bool, std::uint32_t> score{loaded, host.news.memory_mb - host.assigned_mb};
        if (!best || score > best_score) {
            best = &host;
            best_score = score;
        }
    }
    return best;
}

void HostTable::assign(TimePoint now, const HostId& id, const std::string& address,
                       const InvocationId& invocation, AttemptNumber attempt,
                       std::uint32_t memory_mb) {
    Host& host = hosts_[id];
    if (!host.known && host.attempts.empty()) {
        // Known from records only: its silence counts from now.
        host.news.host = id;
        host.news.address = address;
        host.heard_at = now;
    }
    const bool is_new = host.attempts.emplace(invocation, attempt).second;
    LH_ASSERT(is_new);
    host.assigned_mb += memory_mb;
}

void HostTable::release(const HostId& id, const InvocationId& invocation, AttemptNumber attempt,
                        std::uint32_t memory_mb) {
    const auto place = hosts_.find(id);
    LH_ASSERT(place != hosts_.end());
    Host& host = place->second;
    const auto removed = host.attempts.erase({invocation, attempt});
    LH_ASSERT(removed == 1);
    LH_ASSERT(host.assigned_mb >= memory_mb);
    host.assigned_mb -= memory_mb;
    host.full_until.reset();
}

void HostTable::mark_full(TimePoint now, const HostId& id, std::uint32_t tries) {
    const auto place = hosts_.find(id);
    if (place == hosts_.end()) return;
    const std::uint32_t doublings = std::min(tries > 0 ? tries - 1 : 0, 5U);
    place->second.full_until = now + times_.full_for * (1U << doublings);
}

void HostTable::ask_at(const HostId& id, TimePoint at) {
    const auto place = hosts_.find(id);
    if (place == hosts_.end()) return;
    if (!place->second.ask_at || at < *place->second.ask_at) place->second.ask_at = at;
}

void HostTable::hold(const HostId& id) {
    const auto place = hosts_.find(id);
    if (place != hosts_.end()) place->second.held = true;
}

void HostTable::drain_answered(const HostId& id, std::optional<bool> draining) {
    const auto place = hosts_.find(id);
    if (place == hosts_.end()) return;
    place->second.held = false;
    if (draining) place->second.news.draining = *draining;
}

HostTable::Due HostTable::tick(TimePoint now) {
    Due due;
    for (auto& [id, host] : hosts_) {
        if (host.full_until && *host.full_until <= now) {
            host.full_until.reset();
            due.room = true;
        }
        if (host.ask_at && *host.ask_at <= now) {
            host.ask_at.reset();
            due.ask.push_back(id);
        }
        if (!host.suspect && host.heard_at + times_.suspect_after <= now) {
            host.suspect = true;
            host.suspect_at = now;
            due.suspect.push_back(id);
        }
        if (!host.attempts.empty() && host.suspect && gone_at(host) <= now) due.gone.push_back(id);
    }
    return due;
}

std::optional<TimePoint> HostTable::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [id, host] : hosts_) {
        keep_earliest(next, host.full_until);
        keep_earliest(next, host.ask_at);
        if (!host.suspect)
            keep_earliest(next, host.heard_at + times_.suspect_after);
        else if (!host.attempts.empty())
            keep_earliest(next, gone_at(host));
    }
    return next;
}

// Counted from when the silence was noticed: a pause of our own (a suspended machine) must not look
// like one of the hosts.
TimePoint HostTable::gone_at(const Host& host) const {
    return host.suspect_at + std::max(Duration::zero(), times_.host_grace - times_.suspect_after);
}

const Host* HostTable::find(const HostId& id) const {
    const auto place = hosts_.find(id);
    return place == hosts_.end() ? nullptr : &place->second;
}

}  // namespace longhaul::gateway
