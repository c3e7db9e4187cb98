// One function, as the scheduler sees it: its document, its lines, how many wait and run.
#pragma once

#include "gateway/core/drain_rate.hpp"
#include "gateway/core/fair_queue.hpp"
#include "gateway/core/retry_budget.hpp"
#include "longhaul/base/id.hpp"
#include "longhaul/lifecycle/function_spec.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace longhaul::gateway {

struct FunctionQueue : FairShare {
    TenantName tenant{};
    FunctionName name{};
    std::shared_ptr<const FunctionSpec> current{};  // shared with invocations; null once deleted
    bool paused = false;
    TimePoint updated_at{};

    std::uint32_t live = 0;          // invocations that have not ended
    std::uint64_t queued = 0;        // those that wait for a slot
    std::uint64_t queued_bytes = 0;  // of their events
    std::uint64_t scheduled = 0;     // those that wait for their time
    std::uint64_t retrying = 0;
    std::uint64_t timed_bytes = 0;                         // of the events of these two
    std::array<std::uint64_t, kPriorities> by_priority{};  // of those that wait
    // Of those that wait: no host took them, and they are in no line until it is time to ask again.
    std::map<std::uint64_t, Waiter*> backing_off{};  // by ticket

    DrainRate drain{};
    // How long recent attempts held a slot (exponential mean).
    Duration mean_run{};
    RetryBudget retries{};

    // All that wait, for a slot or for their time: what the limits of a queue count.
    [[nodiscard]] std::uint64_t waiting() const { return queued + scheduled + retrying; }
    [[nodiscard]] std::uint64_t waiting_bytes() const { return queued_bytes + timed_bytes; }

    void observe_run(Duration run);
    // Until `count` of those that wait have gone, as far as that can be told.
    [[nodiscard]] std::optional<Duration> time_for(std::uint64_t count, TimePoint now) const;
    // When one that was refused should come back: 1 s … 1 h.
    [[nodiscard]] Duration retry_after(TimePoint now) const;
    // Who has waited longest, or nullptr.
    [[nodiscard]] const Waiter* oldest() const;
};

using FunctionKey = std::pair<TenantName, FunctionName>;

}  // namespace longhaul::gateway
