// What may come next on a command line that is being typed: commands, options, values, and names
// that the server is asked for, quietly and with a short limit. Serves `longhaul completion`.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace longhaul::cli {

// `words`: what stands after the program's name, the last one being typed ("" = nothing of it yet).
[[nodiscard]] std::vector<std::string> candidates(CLI::App& app, Globals globals,
                                                  const std::vector<std::string>& words);

}  // namespace longhaul::cli
