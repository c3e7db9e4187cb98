#include "cli/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace longhaul::cli {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

bool colours_wanted() { return stdout_is_terminal() && std::getenv("NO_COLOR") == nullptr; }

std::string_view colour_of(State state) {
    switch (state) {
    case State::succeeded: return "\x1b[32m";
    case State::failed:
    case State::timed_out:
    case State::killed: return "\x1b[31m";
    case State::cancelled:
    case State::expired:
    case State::stopping: return "\x1b[33m";
    case State::running:
    case State::dispatching: return "\x1b[36m";
    default: return "\x1b[2m";
    }
}

// Characters, as far as a terminal's columns go: UTF-8 continuation bytes and colour sequences take
// none.
std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] == '\x1b') {
            while (index < text.size() && text[index] != 'm') ++index;
            continue;
        }
        if ((static_cast<unsigned char>(text[index]) & 0xC0) != 0x80) ++width;
    }
    return width;
}

TimePoint wall_now() {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string paint_state(State state, std::size_t width) {
    const std::string text = fmt::format("{:<{}}", to_string(state), width);
    if (!colours_wanted()) return text;
    return fmt::format("{}{}{}", colour_of(state), text, kReset);
}

std::string paint_dim(std::string_view text) {
    if (!colours_wanted()) return std::string(text);
    return fmt::format("\x1b[2m{}{}", text, kReset);
}

std::string short_duration(Duration duration) {
    const auto ms = to_ms(duration);
    const auto seconds = ms / 1000;
    if (ms < 1000) return fmt::format("{}ms", ms);
    if (seconds < 60) return fmt::format("{}.{}s", seconds, ms % 1000 / 100);
    if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    if (seconds < 86'400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{}d{:02}h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string age(std::optional<TimePoint> point, std::optional<TimePoint> end) {
    if (!point) return "-";
    return short_duration(std::max(Duration(0), end.value_or(wall_now()) - *point));
}

std::string short_bytes(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    if (bytes < 1024 * 1024) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t column = 0; column < row.size(); ++column) {
            if (widths.size() <= column) widths.push_back(0);
            widths[column] = std::max(widths[column], width_of(row[column]));
        }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            line += row[column];
            if (column + 1 < row.size())
                line.append(widths[column] - width_of(row[column]) + 2, ' ');
        }
        text += line;
        text += '\n';
    }
    return text;
}

std::string describe_progress(const client::InvocationStatus& status) {
    std::string text(to_string(status.state));
    const auto add = [&text](std::string_view more) {
        text += " · ";
        text += more;
    };
    if (!status.phase.empty()) add(status.phase);
    if (!status.wait_reason.empty()) add(status.wait_reason);
    if (status.position) add(fmt::format("position {}", *status.position));
    if (status.started_at) add(age(status.started_at, status.ended_at));
    if (status.progress) {
        add(fmt::format("{:.0f}%", status.progress->percent));
        if (!status.progress->message.empty()) add(status.progress->message);
    }
    if (status.suspect) add("suspect");
    return text;
}

ProgressLine::ProgressLine() : on_(stderr_is_terminal()) {}
ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(std::string line) {
    if (!on_) return;
    constexpr std::string_view kTurns = "|/-\\";
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    if (line.size() > 100) line = line.substr(0, 97) + "...";
    std::fprintf(stderr, "\r\x1b[K%c %s", kTurns[turn_++ % kTurns.size()], line.c_str());
    std::fflush(stderr);
    shown_ = true;
}

void ProgressLine::clear() {
    if (!shown_) return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    shown_ = false;
}

}  // namespace longhaul::cli
