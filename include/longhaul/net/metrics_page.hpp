// The admin listener's routes: /metrics (Prometheus text), /livez, /readyz.
#pragma once

#include "longhaul/base/metrics.hpp"
#include "longhaul/net/router.hpp"

#include <functional>
#include <optional>
#include <string>

namespace longhaul::net {

struct AdminSources {
    std::function<MetricSamples()> metrics;
    std::function<std::optional<std::string>()> not_ready;  // why, or nothing when ready
};

[[nodiscard]] std::vector<Route> admin_routes(AdminSources sources);

// Prometheus text exposition format 0.0.4.
[[nodiscard]] std::string format_metrics(const MetricSamples& samples);

}  // namespace longhaul::net
