#include "host_agent/driver/isolation.hpp"

#include <vector>

namespace longhaul::host_agent {

Isolation::Isolation(const Ledger& ledger, const Keeper& keeper, KillFlow& kills,
                     const HostId& host, const IsolationTimes& times)
    : ledger_(ledger), keeper_(keeper), kills_(kills), host_(host), times_(times) {}

void Isolation::tick(TimePoint now, TimePoint reached_at) {
    if (reached_at + times_.after > now) {
        stopped_.clear();
        return;
    }
    std::vector<RunKey> due;
    for (const auto& [key, run] : ledger_.core().runs()) {
        if (run.state == RunState::taking || run.state == RunState::ended) continue;
        const AgentReport* report = keeper_.report_of(run.instance);
        if (!report || !report->retry_on_lost || !stopped_.insert(key).second) continue;
        due.push_back(key);
    }
    if (due.empty()) return;
    kills_.stop_for_host(due, times_.grace,
                         "stopped by host " + host_.text + ", which reached nobody for " +
                             format_duration(times_.after) + ", to be tried again elsewhere");
}

}  // namespace longhaul::host_agent
