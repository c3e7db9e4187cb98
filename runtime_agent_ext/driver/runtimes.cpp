#include "runtime_agent_ext/driver/runtimes.hpp"

#include "runtime_agent_ext/runners/runners.hpp"

namespace longhaul::runtime_agent_ext {

const Runtime* find_runtime(std::string_view name) {
    static const Runtime kPython{"python", "python3", "longhaul_runner.py", kPythonRunner};
    static const Runtime kNode{"node", "node", "longhaul_runner.cjs", kNodeRunner};
    if (name.empty() || name == kPython.name) return &kPython;
    if (name == kNode.name) return &kNode;
    return nullptr;
}

}  // namespace longhaul::runtime_agent_ext
