#include "runtime_agent_ext/core/pulse.hpp"

namespace longhaul::runtime_agent_ext {

void hear(TimePoint now, Run& run, Actions& out) {
    run.heard_at = now;
    if (!run.silent) return;
    run.silent = false;
    ++run.version;
    out.push_back(Action::report_now);
}

void watch_pulse(TimePoint now, Run& run, Actions& out) {
    const auto at = silent_at(run);
    if (!at || *at > now) return;
    run.silent = true;
    ++run.version;
    out.push_back(Action::report_now);
}

std::optional<TimePoint> silent_at(const Run& run) {
    const bool is_watched =
        run.is_live() && !run.silent && run.heartbeat_timeout > Duration::zero();
    if (!is_watched) return std::nullopt;
    return run.heard_at + run.heartbeat_timeout;
}

}  // namespace longhaul::runtime_agent_ext
