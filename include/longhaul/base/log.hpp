// One line, one event, with key=value: `2026-11-23T12:00:00.000Z info gateway submitted id=… fn=…`.
//
// A Logger is a value that is passed in: a sink, a level and a component name. The core has none:
// its records and effects are its log. Values are escaped, so a log line is always one line.
// Thread-safe: the sink writes whole lines.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace longhaul {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
enum class LogFormat : std::uint8_t { text, json };

struct LogField {
    LogField(std::string_view key, std::string_view value);
    LogField(std::string_view key, const std::string& value);
    LogField(std::string_view key, const char* value);
    LogField(std::string_view key, std::int64_t value);
    LogField(std::string_view key, std::uint64_t value);
    LogField(std::string_view key, int value);
    LogField(std::string_view key, unsigned value);
    LogField(std::string_view key, double value);

    std::string_view key;
    std::string value;
};

class LogSink;  // spdlog behind it, in base/impl/log.cpp

class Logger {
public:
    Logger() = default;  // silent

    // To stderr.
    [[nodiscard]] static Logger to_stderr(LogLevel level, LogFormat format);

    // The same sink and level under another component name.
    [[nodiscard]] Logger named(std::string_view component) const;

    [[nodiscard]] bool enabled(LogLevel level) const { return sink_ && level >= level_; }
    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const;
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
    void warning(std::string_view event, std::initializer_list<LogField> fields = {}) const;
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) const;

private:
    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) const;

    std::shared_ptr<LogSink> sink_;  // shared: every component's Logger ends in the same stream
    LogLevel level_ = LogLevel::off;
    std::string component_;
};

[[nodiscard]] std::string_view to_string(LogLevel level);

}  // namespace longhaul
