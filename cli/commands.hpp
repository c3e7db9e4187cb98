// All commands but `dev` (dev.hpp), in the order of `longhaul --help`.
#pragma once

#include "cli/command.hpp"

#include <memory>

namespace longhaul::cli {

using CommandPtr = std::unique_ptr<Command>;

[[nodiscard]] CommandPtr make_deploy(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_submit(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_get(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_wait(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_result(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_logs(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_cancel(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_kill(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_retry(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_purge(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_dead_letters(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_debug(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_trace(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_queue(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_limits(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_change(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_list(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_functions(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_hosts(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_instances(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_drain(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_completion(CLI::App& app, const Globals& globals);
[[nodiscard]] CommandPtr make_version(CLI::App& app, const Globals& globals);

// "longhaul 0.1.0"
[[nodiscard]] std::string version_text();

}  // namespace longhaul::cli
