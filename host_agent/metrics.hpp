// The counters of all parts as metric samples.
#pragma once

#include "host_agent/driver/kill_flow.hpp"
#include "host_agent/driver/take_flow.hpp"
#include "host_agent/reports/reporter.hpp"
#include "longhaul/base/metrics.hpp"

namespace longhaul::host_agent {

struct MetricSources {
    const Ledger& ledger;
    const Keeper& keeper;
    const TakeFlow& takes;
    const KillFlow& kills;
    const LeaseFlow& leases;
    const StatusFlow& status;
    const PackageCache& packages;
    const RunFiles& files;
    const Reporter* reporter;  // nullptr before the start
};

[[nodiscard]] MetricSamples collect_metrics(const MetricSources& sources);

}  // namespace longhaul::host_agent
