// An invocation as text for people, and what several commands do with one: wait with a progress
// line, follow its logs, write its result.
#pragma once

#include "cli/command.hpp"

#include <cstdio>
#include <string>

namespace longhaul::cli {

// Everything about one invocation, a line per thing.
[[nodiscard]] std::string describe(const client::InvocationStatus& status);

// Rows of a table: the head, and one for an invocation.
[[nodiscard]] std::vector<std::string> invocation_head();
[[nodiscard]] std::vector<std::string> invocation_row(const client::InvocationStatus& status);

// Prints the document (-o json) or describe().
void print_status(const Globals& globals, const client::InvocationStatus& status);

// Waits for the end with a progress line on stderr.
[[nodiscard]] Result<client::InvocationStatus> wait_for_end(client::BlockingClient& client,
                                                            const InvocationId& id);
// Waits until it runs, or has ended.
[[nodiscard]] Result<client::InvocationStatus> wait_for_start(client::BlockingClient& client,
                                                              const InvocationId& id);

// Writes log lines to `out` as they come.
[[nodiscard]] Result<void> print_logs(client::BlockingClient& client, client::LogRequest request,
                                      bool timestamps, bool json, std::FILE* out);

// Writes the result to stdout; a final line feed is added on a terminal.
[[nodiscard]] Result<void> print_result(client::BlockingClient& client, const InvocationId& id);

// "failed (exit): exit code 3", for stderr.
[[nodiscard]] std::string describe_end(const client::InvocationStatus& status);

[[nodiscard]] Result<std::pair<std::string, std::string>> parse_label(const std::string& text);

}  // namespace longhaul::cli
