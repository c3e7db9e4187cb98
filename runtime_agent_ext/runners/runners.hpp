// The runners that come with the runtime agent, as text: written into the instance directory at its
// start, so that the program is one file.
#pragma once

#include <string_view>

namespace longhaul::runtime_agent_ext {

extern const std::string_view kPythonRunner;  // runners/python/longhaul_runner.py

}  // namespace longhaul::runtime_agent_ext
