// `longhaul dev`: the whole system in one process. The one command that links the components.
#pragma once

#include <CLI/CLI.hpp>

namespace longhaul::cli {

// Adds the subcommand; when it is chosen, it runs during the parse and sets `exit_code`.
void add_dev(CLI::App& app, int& exit_code);

}  // namespace longhaul::cli
