#include "gateway/core/host_table.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>
#include <limits>

namespace longhaul::gateway {
namespace {

void keep_earliest(std::optional<TimePoint>& best, std::optional<TimePoint> candidate) {
    if (candidate && (!best || *candidate < *best)) best = candidate;
}

constexpr std::uint64_t kWhole = 1'000'000;  // parts of an instance

std::uint64_t parts_of_run(const FunctionSpec& function) {
    return (kWhole + function.concurrency - 1) / function.concurrency;
}

std::uint32_t share(std::uint64_t used, std::uint64_t all) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(used * 1000 / all, 1'000'000));
}

bool grew(const HostNews& before, const HostNews& now) {
    const bool more_cpu =
        before.cpu_millis != 0 && (now.cpu_millis == 0 || now.cpu_millis > before.cpu_millis);
    return more_cpu || now.memory_mb > before.memory_mb || now.instances_max > before.instances_max;
}

}  // namespace

HostTable::Touch::Touch(HostTable& table, Host& host)
    : table_(table), host_(host), before_(room_of(host)) {
    table_.ready_.erase(&host_);
    if (host_.due) table_.by_due_.erase(&host_);
}

HostTable::Touch::~Touch() {
    host_.load = load_of(host_);
    host_.due = table_.due_of(host_);
    if (is_ready(host_)) table_.ready_.insert(&host_);
    if (host_.due) table_.by_due_.insert(&host_);
    const Room now = room_of(host_);
    if (!is_ready(host_))
        table_.roomier_.erase(&host_);
    else if (now.memory_mb > before_.memory_mb || now.cpu_millis > before_.cpu_millis ||
             now.parts > before_.parts)
        table_.roomier_.insert(&host_);
}

HostTable::Room HostTable::room_of(const Host& host) {
    if (!is_ready(host)) return {};
    Room room;
    room.memory_mb =
        std::int64_t{host.news.memory_mb} - static_cast<std::int64_t>(host.assigned_mb);
    room.cpu_millis = host.news.cpu_millis == 0 ? std::numeric_limits<std::int64_t>::max()
                                                : std::int64_t{host.news.cpu_millis} -
                                                      static_cast<std::int64_t>(host.assigned_cpu);
    room.parts = static_cast<std::int64_t>(host.news.instances_max * kWhole) -
                 static_cast<std::int64_t>(host.assigned_parts);
    return room;
}

std::vector<const Host*> HostTable::take_roomier() {
    std::vector<const Host*> taken(roomier_.begin(), roomier_.end());
    roomier_.clear();
    return taken;
}

Host& HostTable::known_or_new(const HostId& id) {
    Host& host = hosts_[id];
    host.news.host = id;
    return host;
}

Host* HostTable::place(const HostId& id) {
    const auto found = hosts_.find(id);
    return found == hosts_.end() ? nullptr : &found->second;
}

HostTable::Heard HostTable::announce(TimePoint now, const HostNews& news) {
    Host& host = known_or_new(news.host);
    // A host that was re-imaged or cloned under the same name cannot speak with an older epoch.
    if (host.known && news.epoch < host.news.epoch) return {};
    Heard heard{.accepted = true, .returned = host.suspect};
    const bool was_ready = is_ready(host);
    const bool fresh = !host.known || news.epoch != host.news.epoch;
    const bool has_grown = !host.known || grew(host.news, news);
    const std::optional<HostQuestion> before = question(news.host);
    {
        const Touch touch(*this, host);
        set_news(host, news);
        host.known = true;
        host.suspect = false;
        host.heard_at = now;
        host.full_until.reset();
        if (fresh) host.known_seq = host.last_seq = 0;
        host.last_seq = std::max(host.last_seq, news.last_seq);
        const bool is_newborn =
            fresh && !(host.news.epoch > 1 && mutant(Mutant::new_epoch_ignored));
        if (is_newborn || heard.returned)
            raise(host, Question::snapshot, std::nullopt);
        else if (host.last_seq > host.known_seq && !mutant(Mutant::announced_gap_ignored))
            raise(host, Question::delta, now + times_.overtaken);
    }
    heard.asks = fresh || heard.returned || (!before && question(news.host));
    heard.room = is_ready(host) && (!was_ready || has_grown);
    return heard;
}

HostTable::Heard HostTable::advance(TimePoint now, const HostId& id, Epoch epoch,
                                    std::optional<std::uint64_t> prev_seq, std::uint64_t last_seq) {
    Host* host = place(id);
    if (!host || !host->known || epoch < host->news.epoch) return {};
    Heard heard{.accepted = true, .returned = host->suspect};
    const bool was_ready = is_ready(*host);
    const bool fresh = epoch != host->news.epoch;
    const bool follows =
        !fresh && prev_seq && (*prev_seq <= host->known_seq || mutant(Mutant::gap_ignored));
    {
        const Touch touch(*this, *host);
        host->heard_at = now;
        host->suspect = false;
        host->full_until.reset();
        if (fresh) host->known_seq = host->last_seq = 0;
        host->news.epoch = epoch;
        host->last_seq = std::max(host->last_seq, last_seq);
        if (follows) host->known_seq = std::max(host->known_seq, last_seq);
        if (fresh || heard.returned)
            raise(*host, Question::snapshot, std::nullopt);
        else if (!follows)
            raise(*host, Question::delta, std::nullopt);
        else if (host->question == Question::delta && host->ask_at)
            settle(now, *host);
    }
    heard.asks = fresh || heard.returned || !follows;
    heard.room = is_ready(*host) && !was_ready;
    return heard;
}

void HostTable::set_news(Host& host, const HostNews& news) {
    if (host.news.packages != news.packages) {
        for (const Digest& package : host.news.packages) {
            const auto named = with_package_.find(package);
            if (named == with_package_.end()) continue;  // it was named twice
            named->second.erase(&host);
            if (named->second.empty()) with_package_.erase(named);
        }
        for (const Digest& package : news.packages) with_package_[package].insert(&host);
    }
    const auto before = host.idle;
    for (const auto& [code, count] : before) set_idle(host, code, 0);
    for (const IdleInstances& idle : news.loaded)
        set_idle(host, {idle.tenant, idle.function, idle.package}, idle.count);
    host.news = news;
}

void HostTable::set_idle(Host& host, const Host::LoadedCode& code, std::uint32_t count) {
    if (count > 0) {
        host.idle[code] = count;
        with_idle_[code].insert(&host);
        return;
    }
    if (host.idle.erase(code) == 0) return;
    const auto named = with_idle_.find(code);
    named->second.erase(&host);
    if (named->second.empty()) with_idle_.erase(named);
}

bool HostTable::takes_work(const Host& host) {
    return host.known && !host.suspect && !host.held &&
           (!host.news.draining || mutant(Mutant::drain_ignored)) && host.fences.empty() &&
           host.assigned_parts < host.news.instances_max * kWhole;
}

bool HostTable::is_ready(const Host& host) { return takes_work(host) && !host.full_until; }

std::uint32_t HostTable::load_of(const Host& host) {
    std::uint32_t load = 0;
    if (host.news.memory_mb > 0) load = share(host.assigned_mb, host.news.memory_mb);
    if (host.news.instances_max > 0)
        load = std::max(load, share(host.assigned_parts, host.news.instances_max * kWhole));
    if (host.news.cpu_millis > 0)
        load = std::max(load, share(host.assigned_cpu, host.news.cpu_millis));
    return load;
}

bool HostTable::fits(const Host& host, std::uint32_t memory_mb, std::uint32_t cpu_millis) {
    if (host.assigned_mb + memory_mb > host.news.memory_mb) return false;
    return host.news.cpu_millis == 0 || host.assigned_cpu + cpu_millis <= host.news.cpu_millis;
}

const Host* HostTable::choose(TimePoint now, const TenantName& tenant, const FunctionSpec& function,
                              const Avoided& avoided) const {
    if (ready_.empty()) return nullptr;
    const auto idle = with_idle_.find({tenant, function.name, function.package});
    if (idle != with_idle_.end())
        if (const Host* best = best_of(now, idle->second, function, avoided)) return best;
    if (!function.package.empty()) {
        const auto cached = with_package_.find(function.package);
        if (cached != with_package_.end())
            if (const Host* best = best_of(now, cached->second, function, avoided)) return best;
    }
    const auto is_avoided = [&](const Host* host) {
        return std::ranges::any_of(avoided, [&](const auto& item) {
            return item.second > now && item.first == host->news.host;
        });
    };
    const auto found = std::ranges::find_if(ready_, [&](const Host* host) {
        return fits(*host, memory_mb_of_run(function), cpu_millis_of_run(function)) &&
               !is_avoided(host);
    });
    return found == ready_.end() ? nullptr : *found;
}

const Host* HostTable::best_of(TimePoint now, const Named& hosts, const FunctionSpec& function,
                               const Avoided& avoided) const {
    const Host* best = nullptr;
    for (const Host* host : hosts) {
        if (best && !ByLoad{}(host, best)) continue;
        if (!is_ready(*host)) continue;
        if (!fits(*host, memory_mb_of_run(function), cpu_millis_of_run(function))) continue;
        const bool is_avoided = std::ranges::any_of(avoided, [&](const auto& item) {
            return item.second > now && item.first == host->news.host;
        });
        if (!is_avoided) best = host;
    }
    return best;
}

bool HostTable::has_room(const Host& host, std::uint32_t memory_mb, std::uint32_t cpu_millis) {
    return takes_work(host) && fits(host, memory_mb, cpu_millis);
}

void HostTable::assign(TimePoint now, const HostId& id, const std::string& address,
                       const InvocationId& invocation, AttemptNumber attempt,
                       const FunctionSpec& function) {
    Host& host = known_or_new(id);
    const Touch touch(*this, host);
    if (!host.known && host.attempts.empty()) {
        // Known from records only: its silence counts from now.
        host.news.address = address;
        host.heard_at = now;
    }
    const bool is_new = host.attempts.emplace(invocation, attempt).second;
    LH_ASSERT(is_new);
    host.assigned_mb += memory_mb_of_run(function);
    host.assigned_cpu += cpu_millis_of_run(function);
    host.assigned_parts += parts_of_run(function);
}

void HostTable::release(const HostId& id, const InvocationId& invocation, AttemptNumber attempt,
                        const FunctionSpec& function) {
    Host* host = place(id);
    LH_ASSERT(host != nullptr);
    const Touch touch(*this, *host);
    const auto removed = host->attempts.erase({invocation, attempt});
    LH_ASSERT(removed == 1);
    LH_ASSERT(host->assigned_mb >= memory_mb_of_run(function));
    LH_ASSERT(host->assigned_cpu >= cpu_millis_of_run(function));
    LH_ASSERT(host->assigned_parts >= parts_of_run(function));
    host->assigned_mb -= memory_mb_of_run(function);
    host->assigned_cpu -= cpu_millis_of_run(function);
    host->assigned_parts -= parts_of_run(function);
    host->full_until.reset();
    host->unheard.erase({invocation, attempt});
}

void HostTable::use_idle(const HostId& id, const TenantName& tenant, const FunctionSpec& function) {
    Host* host = place(id);
    if (!host) return;
    const Host::LoadedCode code{tenant, function.name, function.package};
    const auto idle = host->idle.find(code);
    if (idle != host->idle.end()) set_idle(*host, code, idle->second - 1);
}

Duration HostTable::pause_after(std::uint32_t tries) const {
    const std::uint32_t doublings = std::min(tries > 0 ? tries - 1 : 0, 5U);
    return times_.full_for * (1U << doublings);
}

void HostTable::mark_full(TimePoint now, const HostId& id, std::uint32_t tries) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    host->full_until = now + pause_after(tries);
}

void HostTable::owe_fence(const HostId& id, const AttemptName& attempt, const Host::Fence& fence) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    host->fences.emplace(attempt, fence);
}

bool HostTable::fence_told(const HostId& id, const AttemptName& attempt) {
    Host* host = place(id);
    if (!host) return false;
    const Touch touch(*this, *host);
    return host->fences.erase(attempt) > 0 && host->fences.empty();
}

void HostTable::hold(const HostId& id) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    host->held = true;
}

void HostTable::drain_answered(const HostId& id, std::optional<bool> draining) {
    Host* host = place(id);
    if (!host) return;
    const Touch touch(*this, *host);
    host->held = false;
    if (draining) host->news.draining = *draining;
}

std::vector<HostId> HostTable::due_at(TimePoint now) const {
    std::vector<HostId> due;
    for (const Host* host : by_due_) {
        if (*host->due > now) break;
        due.push_back(host->news.host);
    }
    return due;
}

HostTable::Due HostTable::tick(TimePoint now) {
    Due due;
    for (const HostId& id : due_at(now)) look_at(now, *place(id), due);
    return due;
}

void HostTable::look_at(TimePoint now, Host& host, Due& due) {
    const Touch touch(*this, host);
    if (host.full_until && *host.full_until <= now) {
        host.full_until.reset();
        due.room = true;
    }
    if (host.ask_at && *host.ask_at <= now) {
        host.ask_at.reset();
        due.ask.push_back(host.news.host);
    }
    if (asks_unheard(host) && *host.unheard_at <= now && ask_unheard(now, host))
        due.ask.push_back(host.news.host);
    if (!host.suspect && host.heard_at + times_.suspect_after <= now) {
        host.suspect = true;
        host.suspect_at = now;
        due.suspect.push_back(host.news.host);
    }
    if (!host.attempts.empty() && host.suspect && gone_at(host) <= now)
        due.gone.push_back(host.news.host);
}

void HostTable::forget_silent(TimePoint now) {
    for (const HostId& id : due_at(now)) {
        Host& host = *place(id);
        if (!host.suspect || !host.attempts.empty()) continue;
        if (host.heard_at + times_.forget_after > now) continue;
        set_news(host, HostNews{.host = id});
        ready_.erase(&host);
        by_due_.erase(&host);
        roomier_.erase(&host);
        hosts_.erase(id);
    }
}

std::optional<TimePoint> HostTable::next_deadline() const {
    if (by_due_.empty()) return std::nullopt;
    return (*by_due_.begin())->due;
}

std::optional<TimePoint> HostTable::due_of(const Host& host) const {
    std::optional<TimePoint> due;
    keep_earliest(due, host.full_until);
    keep_earliest(due, host.ask_at);
    if (asks_unheard(host)) keep_earliest(due, host.unheard_at);
    if (!host.suspect)
        keep_earliest(due, host.heard_at + times_.suspect_after);
    else if (!host.attempts.empty())
        keep_earliest(due, gone_at(host));
    else
        keep_earliest(due, host.heard_at + times_.forget_after);
    return due;
}

// Counted from when the silence was noticed: a pause of our own (a suspended machine) must not look
// like one of the hosts.
TimePoint HostTable::gone_at(const Host& host) const {
    return host.suspect_at + std::max(Duration::zero(), times_.host_grace - times_.suspect_after);
}

const Host* HostTable::find(const HostId& id) const {
    const auto found = hosts_.find(id);
    return found == hosts_.end() ? nullptr : &found->second;
}

void HostTable::check_invariants() const {
    std::size_t ready = 0;
    std::size_t due = 0;
    for (const auto& [id, host] : hosts_) {
        LH_ASSERT(host.news.host == id);
        LH_ASSERT(host.load == load_of(host));
        LH_ASSERT(host.due == due_of(host));
        LH_ASSERT(ready_.contains(&host) == is_ready(host));
        LH_ASSERT(host.known_seq <= host.last_seq);
        LH_ASSERT(host.question != Question::none || !host.ask_at);
        LH_ASSERT(host.unheard.empty() || host.unheard_at);
        for (const auto& [name, at] : host.unheard) LH_ASSERT(host.attempts.contains(name));
        if (is_ready(host)) ++ready;
        if (host.due) ++due;
        for (const auto& [code, count] : host.idle) LH_ASSERT(with_idle_.at(code).contains(&host));
        for (const Digest& package : host.news.packages)
            LH_ASSERT(with_package_.at(package).contains(&host));
    }
    LH_ASSERT(ready == ready_.size());
    LH_ASSERT(due == by_due_.size());
}

}  // namespace longhaul::gateway
