// The runners that come with the runtime agent, as text: written into the instance directory where
// one is started, so that the program is one file.
#pragma once

#include <string_view>

namespace longhaul::runtime_agent_ext {

extern const std::string_view kPythonRunner;  // runners/python/longhaul_runner.py
extern const std::string_view kNodeRunner;    // runners/node/longhaul_runner.cjs

}  // namespace longhaul::runtime_agent_ext
