// The other half of spawn.hpp: what `runtime_agent_ext --exec` does.
//
// Orders arrive on descriptor 3, an error leaves as text on descriptor 4, which closes by itself
// when the exec succeeds.
#pragma once

namespace longhaul::process {

// Never returns where the exec succeeds; else the exit status (127).
[[nodiscard]] int run_trampoline();

}  // namespace longhaul::process
