// The waiting line and the slots of one function.
//
// FIFO by ticket: an invocation keeps its ticket when it is sent back, and so its place.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/function_spec.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace longhaul::gateway {

struct FunctionQueue {
    TenantName tenant;
    FunctionName name;
    std::shared_ptr<const FunctionSpec> current{};  // shared with invocations; null once deleted
    bool paused = false;
    TimePoint updated_at{};

    std::map<std::uint64_t, InvocationId> waiting{};  // ticket -> id
    std::uint32_t running = 0;                        // unended attempts
    std::uint32_t live = 0;                           // invocations that have not ended

    // How long recent attempts held a slot (exponential mean), for eta and Retry-After.
    Duration mean_run{};

    void observe_run(Duration run);
    // Until a newcomer at the end of the line would start; at least 1 s.
    [[nodiscard]] Duration expected_wait(std::uint64_t position) const;
};

using FunctionKey = std::pair<TenantName, FunctionName>;

}  // namespace longhaul::gateway
