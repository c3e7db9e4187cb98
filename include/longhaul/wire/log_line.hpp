// One line of an attempt's log file, as the runtime agent appends it and the host agent serves it:
//
//     1795435200123 o - text of the line\n
//
// unix milliseconds, stream (o stdout, e stderr, s longhaul itself), flag (- a whole line or its
// last piece, c a piece that continues in the next line of its stream, d lines were dropped after
// it), then the text, raw to the line end. The text holds no line feed, by construction; it is
// bytes, not necessarily UTF-8. A file's last line without a line feed is still being written.
#pragma once

#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::wire {

inline constexpr std::size_t kLogTextMax = 64 * 1024;  // bytes of text in one line; longer: pieces

enum class LogStream : char { out = 'o', err = 'e', system = 's' };
enum class LogFlag : char { none = '-', continues = 'c', dropped = 'd' };

struct LogLine {
    std::int64_t unix_ms = 0;
    LogStream stream = LogStream::out;
    LogFlag flag = LogFlag::none;
    std::string_view text;  // into the buffer that was decoded
};

inline void append_log_line(std::string& out, const LogLine& line) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, line.unix_ms).ptr;
    out.append(digits, end);
    out += ' ';
    out += static_cast<char>(line.stream);
    out += ' ';
    out += static_cast<char>(line.flag);
    out += ' ';
    out += line.text;
    out += '\n';
}

// `line` without its line feed; nothing where it is no log line.
[[nodiscard]] inline std::optional<LogLine> decode_log_line(std::string_view line) {
    LogLine result;
    const auto [end, error] =
        std::from_chars(line.data(), line.data() + line.size(), result.unix_ms);
    if (error != std::errc{}) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (line.size() < 5 || line[0] != ' ' || line[2] != ' ' || line[4] != ' ') return std::nullopt;
    if (line[1] != 'o' && line[1] != 'e' && line[1] != 's') return std::nullopt;
    if (line[3] != '-' && line[3] != 'c' && line[3] != 'd') return std::nullopt;
    result.stream = static_cast<LogStream>(line[1]);
    result.flag = static_cast<LogFlag>(line[3]);
    result.text = line.substr(5);
    return result;
}

// Names in the log and store directories that a runtime agent is given at its start. An id is safe
// in a file name; the attempt is what follows the last dot before the suffix.
[[nodiscard]] inline std::string log_file_name(const AttemptKey& key) {
    return key.invocation.text + "." + std::to_string(key.attempt) + ".log";
}
[[nodiscard]] inline std::string result_file_name(const AttemptKey& key) {
    return key.invocation.text + "." + std::to_string(key.attempt) + ".result";
}
// Output between invocations, and of the runtime agent's own loads.
[[nodiscard]] inline std::string instance_log_file_name(const InstanceId& id) {
    return "instance." + id.text + ".log";
}

}  // namespace longhaul::wire
