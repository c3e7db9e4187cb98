// The runtimes that we bring a runner for: what is started, and the runner as text.
#pragma once

#include <string_view>

namespace longhaul::runtime_agent_ext {

struct Runtime {
    std::string_view name;     // as in the function document: "python"
    std::string_view program;  // looked up in the function's PATH
    std::string_view file;     // of its runner, in the instance directory
    std::string_view runner;   // its text
};

// nullptr: none of ours, so the function's own command speaks the Runtime API. "" is python, which
// was the only one once.
[[nodiscard]] const Runtime* find_runtime(std::string_view name);

}  // namespace longhaul::runtime_agent_ext
