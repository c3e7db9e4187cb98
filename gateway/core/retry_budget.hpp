// How many retries a function may still make, all its invocations together: so that what fails
// everywhere is not asked for many times over.
//
// Pure. A bucket: each first attempt adds budget_ratio, each minute budget_per_minute, each retry
// takes one. Not recorded: after a restart it begins with a minute's worth.
#pragma once

#include "longhaul/base/time.hpp"
#include "longhaul/lifecycle/retry_spec.hpp"

#include <optional>

namespace longhaul::gateway {

class RetryBudget {
public:
    // An invocation was accepted.
    void earn(const RetrySpec& retry);
    // Takes one retry, or says that none is left.
    [[nodiscard]] bool spend(TimePoint now, const RetrySpec& retry);

private:
    double earned_ = 0;
    std::optional<TimePoint> filled_at_{};  // nothing: not used yet
};

}  // namespace longhaul::gateway
