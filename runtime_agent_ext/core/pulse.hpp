// Whether a run still gives signs of life: progress or heartbeats of its function, where that has
// declared how long it may be silent (heartbeat_timeout). Silence stops nothing; it is told.
#pragma once

#include "runtime_agent_ext/core/instance.hpp"

namespace longhaul::runtime_agent_ext {

// The function has said something.
void hear(TimePoint now, Run& run, Actions& out);
// Notices that it has not, for too long.
void watch_pulse(TimePoint now, Run& run, Actions& out);
// When watch_pulse() has something to notice; nothing: never, or it has.
[[nodiscard]] std::optional<TimePoint> silent_at(const Run& run);

}  // namespace longhaul::runtime_agent_ext
