// Who goes next, of all that wait: turns between tenants, within a tenant between functions, within
// a function as function_lines.hpp says.
//
// Deficit round robin over slots' worth (turn.hpp): a run pays for the memory and processors that
// it occupies, so a tenant of large runs has fewer of them. Work-conserving: whoever cannot go lets
// the others pass. Whoever is blocked, by a limit of its own, of its function or tenant, or because
// no host has room for it, is in no ring, costs nothing there, and is put back by what unblocks it.
// For that, rings are kept apart by demand: those that no host has room for are closed, all at
// once.
//
// Pure. O(log n) for each step, and linear in the different demands that hosts have room for.
//
// Invariants (check_invariants() verifies them):
//   (1) A function is in its tenant's ring for the demand of its head exactly if it is not paused,
//       below its limit, and has a head.
//   (2) A tenant is in the ring of a demand exactly if it is below its limit and has such a
//       function.
//   (3) Runs held are counted once per function, tenant and key.
#pragma once

#include "gateway/core/function_lines.hpp"
#include "longhaul/base/id.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace longhaul::gateway {

struct FairTenant;
struct DemandClass;

// A function's part in it. Not moved while it has joined.
struct FairShare {
    FunctionLines lines{};
    std::uint32_t running = 0;  // attempts that hold a slot

    // Of the FairQueue.
    FairTenant* owner = nullptr;
    std::uint32_t running_max = 0;
    bool is_paused = false;
    Turn turn{};
    DemandClass* in = nullptr;
};

struct FairTenant {
    TenantName name;
    std::uint32_t running = 0;
    std::uint32_t functions = 0;  // that have joined
    Turn turn{};
    bool in_turns = false;
    Round round{};  // of its functions
    std::map<DemandClass*, Ring<FairShare>> rings{};
};

struct DemandClass {
    Demand demand;
    bool closed = false;  // no host has room for it
    std::uint32_t functions = 0;
    Ring<FairTenant> ring{};
};

class FairQueue {
public:
    FairQueue() = default;
    FairQueue(const FairQueue&) = delete;  // what is in it points into it
    FairQueue& operator=(const FairQueue&) = delete;

    void join(FairShare& share, const TenantName& tenant);
    // REQUIRES that nobody waits and nothing runs.
    void quit(FairShare& share);
    void set_limits(FairShare& share, std::uint32_t running_max, std::uint32_t key_max,
                    bool paused);
    void set_tenant_max(std::uint32_t tenant_max);  // 0: none

    void insert(FairShare& share, Waiter& waiter, std::uint8_t priority, const std::string& key);
    void erase(FairShare& share, Waiter& waiter);
    // A run of it has begun, has ended.
    void hold(FairShare& share, const std::string& key);
    void release(FairShare& share, const std::string& key);

    // Whose turn it is, or nullptr: nobody can go. Chosen with charge() before it leaves.
    struct Next {
        FairShare* share = nullptr;
        Waiter* waiter = nullptr;
    };
    [[nodiscard]] Next next() const;
    void charge(const Next& next);
    // One that has not waited starts, and pays like the others.
    void charge_newcomer(FairShare& share, const Demand& demand);

    // No host has room for such a run, until open() says that one may.
    void close(const Demand& demand);
    void open(const std::function<bool(const Demand&)>& fits);
    [[nodiscard]] bool is_closed(const Demand& demand) const;

    [[nodiscard]] bool tenant_is_full(const FairShare& share) const;
    [[nodiscard]] const std::map<TenantName, FairTenant>& tenants() const { return tenants_; }
    void check_invariants() const;

private:
    [[nodiscard]] bool is_full(const FairTenant& tenant) const;
    [[nodiscard]] static Waiter* head_of(const FairShare& share);
    void settle(FairShare& share);
    void enter(FairShare& share, DemandClass& to);
    void leave(FairShare& share);
    void settle(FairTenant& tenant);
    static void take_out(FairTenant& tenant);
    static void put_in(FairTenant& tenant);

    std::uint32_t tenant_max_ = 0;
    Round round_{};  // of the tenants
    std::map<TenantName, FairTenant> tenants_;
    std::map<Demand, DemandClass> classes_;  // of heads; those nobody has any more are dropped
};

// What a run pays, in slots' worth: one for what a function has by default.
[[nodiscard]] std::uint64_t cost_of(const Demand& demand);

}  // namespace longhaul::gateway
