#include "gateway/core/fair_queue.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kSlotMemoryMb = 512;
constexpr std::uint64_t kSlotCpuMillis = 1000;
constexpr std::uint64_t kCostMax = 64;  // so that no debt outlasts anybody's patience

std::uint64_t parts(std::uint64_t of, std::uint64_t part) { return (of + part - 1) / part; }

}  // namespace

std::uint64_t cost_of(const Demand& demand) {
    const std::uint64_t slots =
        std::max(parts(demand.memory_mb, kSlotMemoryMb), parts(demand.cpu_millis, kSlotCpuMillis));
    return std::clamp<std::uint64_t>(slots, 1, kCostMax);
}

void FairQueue::join(FairShare& share, const TenantName& name) {
    LH_ASSERT(share.owner == nullptr);
    FairTenant& tenant = tenants_[name];
    tenant.name = name;
    ++tenant.functions;
    share.owner = &tenant;
}

void FairQueue::quit(FairShare& share) {
    LH_ASSERT(share.running == 0 && share.lines.empty());
    FairTenant& tenant = *share.owner;
    share.owner = nullptr;
    if (--tenant.functions > 0) return;
    const TenantName name = tenant.name;
    tenants_.erase(name);
}

void FairQueue::set_limits(FairShare& share, std::uint32_t running_max, std::uint32_t key_max,
                           bool paused) {
    share.running_max = running_max;
    share.is_paused = paused;
    share.lines.set_key_max(key_max);
    settle(share);
}

void FairQueue::set_tenant_max(std::uint32_t tenant_max) {
    if (tenant_max == tenant_max_) return;
    tenant_max_ = tenant_max;
    for (auto& [name, tenant] : tenants_) settle(tenant);
}

void FairQueue::insert(FairShare& share, Waiter& waiter, std::uint8_t priority,
                       const std::string& key) {
    share.lines.insert(waiter, priority, key);
    settle(share);
}

void FairQueue::erase(FairShare& share, Waiter& waiter) {
    share.lines.erase(waiter);
    settle(share);
}

void FairQueue::hold(FairShare& share, const std::string& key) {
    ++share.running;
    ++share.owner->running;
    share.lines.hold(key);
    settle(share);
    settle(*share.owner);
}

void FairQueue::release(FairShare& share, const std::string& key) {
    LH_ASSERT(share.running > 0);
    LH_ASSERT(share.owner->running > 0);
    --share.running;
    --share.owner->running;
    share.lines.release(key);
    settle(share);
    settle(*share.owner);
}

bool FairQueue::is_full(const FairTenant& tenant) const {
    return tenant_max_ > 0 && tenant.running >= tenant_max_ &&
           !mutant(Mutant::tenant_limit_ignored);
}

bool FairQueue::tenant_is_full(const FairShare& share) const { return is_full(*share.owner); }

Waiter* FairQueue::head_of(const FairShare& share) {
    if (share.is_paused || share.running >= share.running_max) return nullptr;
    return share.lines.head();
}

// The function where its head belongs, or nowhere.
void FairQueue::settle(FairShare& share) {
    const Waiter* head = head_of(share);
    if (head && share.in && share.in->demand == head->demand) return;
    const bool was_in = share.in != nullptr;
    if (was_in) leave(share);
    if (!head) return;
    if (!was_in) share.owner->round.enter(share.turn);
    DemandClass& to = classes_[head->demand];
    to.demand = head->demand;
    enter(share, to);
}

void FairQueue::enter(FairShare& share, DemandClass& to) {
    FairTenant& tenant = *share.owner;
    share.in = &to;
    ++to.functions;
    if (tenant.rings.empty() && !is_full(tenant)) {
        round_.enter(tenant.turn);
        tenant.in_turns = true;
    }
    tenant.rings[&to].insert(&share);
    if (tenant.in_turns) to.ring.insert(&tenant);
}

void FairQueue::leave(FairShare& share) {
    FairTenant& tenant = *share.owner;
    DemandClass& from = *share.in;
    share.in = nullptr;
    const auto ring = tenant.rings.find(&from);
    ring->second.erase(&share);
    if (ring->second.empty()) {
        from.ring.erase(&tenant);
        tenant.rings.erase(ring);
        if (tenant.rings.empty()) tenant.in_turns = false;
    }
    if (--from.functions > 0) return;
    const Demand demand = from.demand;
    classes_.erase(demand);
}

// The tenant in all rings where it has functions, or in none.
void FairQueue::settle(FairTenant& tenant) {
    const bool belongs = !is_full(tenant) && !tenant.rings.empty();
    if (belongs == tenant.in_turns) return;
    if (!belongs) return take_out(tenant);
    round_.enter(tenant.turn);
    put_in(tenant);
}

void FairQueue::take_out(FairTenant& tenant) {
    for (auto& [place, ring] : tenant.rings) place->ring.erase(&tenant);
    tenant.in_turns = false;
}

void FairQueue::put_in(FairTenant& tenant) {
    for (auto& [place, ring] : tenant.rings) place->ring.insert(&tenant);
    tenant.in_turns = true;
}

FairQueue::Next FairQueue::next() const {
    const FairTenant* tenant = nullptr;
    for (const auto& [demand, place] : classes_) {
        if (place.closed || place.ring.empty()) continue;
        const FairTenant* first = *place.ring.begin();
        if (!tenant || first->turn < tenant->turn) tenant = first;
    }
    if (!tenant) return {};
    FairShare* share = nullptr;
    for (const auto& [place, ring] : tenant->rings) {
        if (place->closed) continue;
        FairShare* first = *ring.begin();
        if (!share || first->turn < share->turn) share = first;
    }
    return {share, share->lines.head()};
}

// Its tenant, its function and its line come again after what it costs.
void FairQueue::charge(const Next& next) {
    FairShare& share = *next.share;
    FairTenant& tenant = *share.owner;
    DemandClass& place = *share.in;
    const std::uint64_t cost = cost_of(next.waiter->demand);
    take_out(tenant);
    Ring<FairShare>& ring = tenant.rings.at(&place);
    ring.erase(&share);
    tenant.round.charge(share.turn, cost);
    round_.charge(tenant.turn, cost);
    ring.insert(&share);
    put_in(tenant);
    share.lines.charge(*next.waiter);
}

void FairQueue::charge_newcomer(FairShare& share, const Demand& demand) {
    LH_ASSERT(share.in == nullptr);
    FairTenant& tenant = *share.owner;
    const std::uint64_t cost = cost_of(demand);
    tenant.round.enter(share.turn);
    tenant.round.charge(share.turn, cost);
    const bool was_in_turns = tenant.in_turns;
    if (was_in_turns)
        take_out(tenant);
    else
        round_.enter(tenant.turn);
    round_.charge(tenant.turn, cost);
    if (was_in_turns) put_in(tenant);
}

void FairQueue::close(const Demand& demand) {
    const auto found = classes_.find(demand);
    if (found != classes_.end()) found->second.closed = true;
}

void FairQueue::open(const std::function<bool(const Demand&)>& fits) {
    for (auto& [demand, place] : classes_)
        if (place.closed && fits(demand)) place.closed = false;
}

bool FairQueue::is_closed(const Demand& demand) const {
    const auto found = classes_.find(demand);
    return found != classes_.end() && found->second.closed;
}

void FairQueue::check_invariants() const {
    std::size_t functions = 0;
    for (const auto& [demand, place] : classes_) {
        LH_ASSERT(place.demand == demand);
        LH_ASSERT(place.functions > 0);
        functions += place.functions;
        for (const FairTenant* tenant : place.ring)
            LH_ASSERT(tenant->in_turns && tenant->rings.contains(const_cast<DemandClass*>(&place)));
    }
    for (const auto& [name, tenant] : tenants_) {
        LH_ASSERT(tenant.in_turns == (!is_full(tenant) && !tenant.rings.empty()));
        std::uint32_t running = 0;
        for (const auto& [place, ring] : tenant.rings) {
            LH_ASSERT(!ring.empty());
            LH_ASSERT(!tenant.in_turns || place->ring.contains(const_cast<FairTenant*>(&tenant)));
            for (const FairShare* share : ring) {
                LH_ASSERT(share->in == place && share->owner == &tenant);
                const Waiter* head = head_of(*share);
                LH_ASSERT(head != nullptr && head->demand == place->demand);
                share->lines.check_invariants();
                running += share->running;
                --functions;
            }
        }
        LH_ASSERT(running <= tenant.running);
    }
    LH_ASSERT(functions == 0);
}

}  // namespace longhaul::gateway
