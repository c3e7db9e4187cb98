#include "longhaul/base/log.hpp"

#include "longhaul/base/text.hpp"
#include "longhaul/base/time.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <charconv>

namespace longhaul {

// One line per event, written whole and at once: spdlog's sink takes the lock and flushes.
class LogSink {
public:
    explicit LogSink(LogFormat format)
        : format_(format), logger_("longhaul", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger_.set_pattern("%v");
        logger_.set_level(spdlog::level::trace);
    }

    void write(LogLevel level, std::string_view component, std::string_view event,
               std::initializer_list<LogField> fields) {
        std::string line;
        line.reserve(160);
        const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
        if (format_ == LogFormat::json) {
            write_json(line, now, level, component, event, fields);
        } else {
            write_text(line, now, level, component, event, fields);
        }
        logger_.log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
    }

private:
    static void write_text(std::string& line, TimePoint now, LogLevel level,
                           std::string_view component, std::string_view event,
                           std::initializer_list<LogField> fields);
    static void write_json(std::string& line, TimePoint now, LogLevel level,
                           std::string_view component, std::string_view event,
                           std::initializer_list<LogField> fields);

    const LogFormat format_;
    spdlog::logger logger_;
};

namespace {

// Of one value: a log line is for reading.
constexpr std::size_t kValueBytesMax = 4096;

template <class Number>
std::string number_text(Number value) {
    char buffer[32];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, written.ptr);
}

std::string bounded(std::string_view value) {
    if (value.size() <= kValueBytesMax) return std::string(value);
    return std::string(value.substr(0, kValueBytesMax)) + "...";
}

// Words stay bare; whatever could be mistaken is quoted as in JSON.
void append_value(std::string& line, std::string_view value) {
    const auto is_plain = [](char c) {
        return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    };
    if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) {
        line += value;
    } else {
        append_json_string(line, value);
    }
}

void append_member(std::string& line, std::string_view name, std::string_view value) {
    if (line.size() > 1) line += ',';
    append_json_string(line, name);
    line += ':';
    append_json_string(line, value);
}

}  // namespace

void LogSink::write_text(std::string& line, TimePoint now, LogLevel level,
                         std::string_view component, std::string_view event,
                         std::initializer_list<LogField> fields) {
    line += format_rfc3339(now);
    line += ' ';
    line += to_string(level);
    line += ' ';
    append_value(line, component);
    line += ' ';
    // A sentence reads best as it is; only what would break the line is escaped.
    const auto breaks_line = [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
    };
    if (std::any_of(event.begin(), event.end(), breaks_line)) {
        append_json_string(line, event);
    } else {
        line += event;
    }
    for (const LogField& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        append_value(line, field.value);
    }
}

void LogSink::write_json(std::string& line, TimePoint now, LogLevel level,
                         std::string_view component, std::string_view event,
                         std::initializer_list<LogField> fields) {
    line += '{';
    append_member(line, "time", format_rfc3339(now));
    append_member(line, "level", to_string(level));
    append_member(line, "component", component);
    append_member(line, "event", event);
    for (const LogField& field : fields) append_member(line, field.key, field.value);
    line += '}';
}

LogField::LogField(std::string_view k, std::string_view v) : key(k), value(bounded(v)) {}
LogField::LogField(std::string_view k, const std::string& v) : key(k), value(bounded(v)) {}
LogField::LogField(std::string_view k, const char* v) : key(k), value(bounded(v)) {}
LogField::LogField(std::string_view k, std::int64_t v) : key(k), value(number_text(v)) {}
LogField::LogField(std::string_view k, std::uint64_t v) : key(k), value(number_text(v)) {}
LogField::LogField(std::string_view k, int v) : key(k), value(number_text(v)) {}
LogField::LogField(std::string_view k, unsigned v) : key(k), value(number_text(v)) {}
LogField::LogField(std::string_view k, double v) : key(k), value(number_text(v)) {}

Logger Logger::to_stderr(LogLevel level, LogFormat format) {
    Logger logger;
    logger.sink_ = std::make_shared<LogSink>(format);
    logger.level_ = level;
    return logger;
}

Logger Logger::named(std::string_view component) const {
    Logger logger = *this;
    logger.component_ = std::string(component);
    return logger;
}

void Logger::debug(std::string_view event, std::initializer_list<LogField> fields) const {
    write(LogLevel::debug, event, fields);
}

void Logger::info(std::string_view event, std::initializer_list<LogField> fields) const {
    write(LogLevel::info, event, fields);
}

void Logger::warning(std::string_view event, std::initializer_list<LogField> fields) const {
    write(LogLevel::warning, event, fields);
}

void Logger::error(std::string_view event, std::initializer_list<LogField> fields) const {
    write(LogLevel::error, event, fields);
}

void Logger::write(LogLevel level, std::string_view event,
                   std::initializer_list<LogField> fields) const {
    if (!enabled(level)) return;
    sink_->write(level, component_, event, fields);
}

std::string_view to_string(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    case LogLevel::off: return "off";
    }
    return "off";
}

}  // namespace longhaul
