// Text for people: tables, colours (only on a terminal, never with NO_COLOR), lengths of time, and
// the one line on stderr that shows how a wait goes.
#pragma once

#include "longhaul/client/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::cli {

[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();

// Writes to stdout; failures (a closed pipe) are not worth a word.
void print(std::string_view text);

// The state in its colour, padded to `width`; plain where stdout is no terminal.
[[nodiscard]] std::string paint_state(State state, std::size_t width = 0);
[[nodiscard]] std::string paint_dim(std::string_view text);

// "850ms", "12.3s", "4m05s", "2h10m".
[[nodiscard]] std::string short_duration(Duration duration);
// The time since `point`, or up to `end`.
[[nodiscard]] std::string age(std::optional<TimePoint> point, std::optional<TimePoint> end = {});
[[nodiscard]] std::string short_bytes(std::uint64_t bytes);

// Columns, left-aligned, two spaces between; the first row is the head. The columns are as wide as
// their widest cell in characters.
[[nodiscard]] std::string format_table(const std::vector<std::vector<std::string>>& rows);

// One line about where an invocation stands: "queued · function_limit · position 3".
[[nodiscard]] std::string describe_progress(const client::InvocationStatus& status);

// Shows how a wait goes on stderr, rewriting its line; silent where stderr is no terminal.
class ProgressLine {
public:
    ProgressLine();
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(const client::InvocationStatus& status) { show(describe_progress(status)); }
    void show(std::string line);
    void clear();

private:
    const bool on_;
    bool shown_ = false;
    std::size_t turn_ = 0;
};

}  // namespace longhaul::cli
