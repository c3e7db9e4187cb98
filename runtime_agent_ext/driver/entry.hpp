// The core's runs as the wire shows them. Pure.
#pragma once

#include "longhaul/wire/host_messages.hpp"
#include "runtime_agent_ext/core/instance.hpp"

#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

struct EntryIdentity {
    std::string incarnation;
    InstanceId instance;
};

[[nodiscard]] wire::StatusEntry entry_of(const Run& run, const EntryIdentity& identity,
                                         TimePoint now);
[[nodiscard]] wire::AttemptKey wire_key(const RunKey& key);
[[nodiscard]] RunKey run_key(const wire::AttemptKey& key);
[[nodiscard]] std::string_view state_text(const Instance& instance);
[[nodiscard]] StopMode stop_mode(wire::KillMode mode);
[[nodiscard]] wire::KillOutcome kill_outcome(StopVerdict verdict);

}  // namespace longhaul::runtime_agent_ext
