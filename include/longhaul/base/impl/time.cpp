#include "longhaul/base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace longhaul {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

// 100 years: more than any use, and small enough that adding it to a point cannot overflow.
constexpr std::int64_t kDurationMax = std::int64_t{36'500} * 86'400 * 1'000'000;

struct Unit {
    std::string_view name;
    std::int64_t microseconds;
};
constexpr std::array<Unit, 6> kUnits{{{"d", 86'400'000'000},
                                      {"h", 3'600'000'000},
                                      {"m", 60'000'000},
                                      {"s", 1'000'000},
                                      {"ms", 1'000},
                                      {"us", 1}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error bad_time(std::string_view text, std::string_view what) {
    return make_error(Errc::invalid_argument,
                      fmt::format("'{}' is no RFC 3339 time: {}", text.substr(0, 64), what));
}

Error bad_duration(std::string_view text, std::string_view what) {
    return make_error(Errc::invalid_argument,
                      fmt::format("'{}' is no duration: {}", text.substr(0, 64), what));
}

// Reads exactly `width` digits at `at`; -1 where there are none.
int digits(std::string_view text, std::size_t at, std::size_t width) {
    if (at + width > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, width)) {
        if (!is_digit(c)) return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

// "Z", "+01:00", "-08:30": minutes east of UTC.
bool read_offset(std::string_view text, int& minutes) {
    if (text == "Z" || text == "z") {
        minutes = 0;
        return true;
    }
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
    const int hour = digits(text, 1, 2);
    const int minute = digits(text, 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    minutes = (text[0] == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}

struct Number {
    std::int64_t whole = 0;
    std::string_view fraction{};
    std::size_t length = 0;  // 0: no number here
    bool overflow = false;
};

Number read_number(std::string_view text) {
    Number number;
    std::size_t at = 0;
    while (at < text.size() && is_digit(text[at])) {
        if (number.whole > kDurationMax / 10) number.overflow = true;
        if (!number.overflow) number.whole = number.whole * 10 + (text[at] - '0');
        ++at;
    }
    if (at == 0) return number;
    number.length = at;
    if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
        std::size_t end = at + 1;
        while (end < text.size() && is_digit(text[end])) ++end;
        number.fraction = text.substr(at + 1, end - at - 1);
        number.length = end;
    }
    return number;
}

// Adds number × unit; false where the sum is over kDurationMax.
bool add(const Number& number, std::int64_t unit, std::int64_t& total) {
    if (number.overflow || number.whole > kDurationMax / unit) return false;
    std::int64_t value = number.whole * unit;
    // Six digits of a fraction count, the rest is cut off.
    std::int64_t numerator = 0;
    std::int64_t denominator = 1;
    for (const char c : number.fraction.substr(0, 6)) {
        numerator = numerator * 10 + (c - '0');
        denominator *= 10;
    }
    value += unit * numerator / denominator;
    total += value;
    return total <= kDurationMax;
}

// "1h30m", "90", "250ms".
Result<Duration> parse_plain(std::string_view text) {
    std::int64_t total = 0;
    std::size_t next_unit = 0;  // units only shrink
    std::string_view rest = text;
    while (!rest.empty()) {
        const Number number = read_number(rest);
        if (number.length == 0)
            return bad_duration(text, "a number is missing, as in 90s or 1h30m");
        rest.remove_prefix(number.length);
        const auto name_end = std::min(rest.find_first_of("0123456789."), rest.size());
        const std::string_view name = rest.substr(0, name_end);
        rest.remove_prefix(name_end);
        const bool bare = name.empty() && rest.empty() && next_unit == 0;
        const auto unit = std::find_if(
            kUnits.begin() + static_cast<std::ptrdiff_t>(next_unit), kUnits.end(),
            [name, bare](const Unit& candidate) { return candidate.name == (bare ? "s" : name); });
        if (unit == kUnits.end()) {
            return bad_duration(text, "units are d, h, m, s, ms, us, each once, the larger first");
        }
        next_unit = static_cast<std::size_t>(unit - kUnits.begin()) + 1;
        if (!add(number, unit->microseconds, total)) return bad_duration(text, "over 36500d");
    }
    return Duration{total};
}

// "P1DT2H", "PT1.5S", "P2W".
Result<Duration> parse_iso(std::string_view text) {
    struct IsoUnit {
        char letter;
        bool in_time;
        std::int64_t microseconds;
    };
    static constexpr std::array<IsoUnit, 5> kIsoUnits{{{'W', false, 604'800'000'000},
                                                       {'D', false, 86'400'000'000},
                                                       {'H', true, 3'600'000'000},
                                                       {'M', true, 60'000'000},
                                                       {'S', true, 1'000'000}}};
    std::string_view rest = text.substr(1);
    std::int64_t total = 0;
    std::size_t next_unit = 0;
    bool in_time = false;
    bool any = false;
    while (!rest.empty()) {
        if (rest[0] == 'T' && !in_time) {
            in_time = true;
            any = false;
            rest.remove_prefix(1);
            continue;
        }
        const Number number = read_number(rest);
        if (number.length == 0 || number.length == rest.size()) break;
        const char letter = rest[number.length];
        rest.remove_prefix(number.length + 1);
        while (next_unit < kIsoUnits.size() &&
               (kIsoUnits[next_unit].letter != letter || kIsoUnits[next_unit].in_time != in_time)) {
            ++next_unit;
        }
        if (next_unit == kIsoUnits.size()) {
            return bad_duration(text, "ISO 8601 durations here have W, D, and after T: H, M, S");
        }
        if (!add(number, kIsoUnits[next_unit++].microseconds, total)) {
            return bad_duration(text, "over 36500d");
        }
        any = true;
    }
    if (!rest.empty() || !any) return bad_duration(text, "ISO 8601 durations look like PT1H30M");
    return Duration{total};
}

}  // namespace

std::string format_rfc3339(TimePoint point) {
    // Years outside of 0000 … 9999 have no RFC 3339 form.
    static constexpr TimePoint kMin = sys_days{std::chrono::year{0} / 1 / 1};
    static constexpr TimePoint kMax =
        sys_days{std::chrono::year{9999} / 12 / 31} + days{1} - Duration{1};
    const TimePoint clamped = std::clamp(point, kMin, kMax);
    const auto day = std::chrono::floor<days>(clamped);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::milliseconds>(clamped - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count(),
                       time.subseconds().count());
}

Result<TimePoint> parse_rfc3339(std::string_view text) {
    if (text.size() > 64) return bad_time(text, "longer than 64 characters");
    const int year = digits(text, 0, 4);
    const int month = digits(text, 5, 2);
    const int day = digits(text, 8, 2);
    const int hour = digits(text, 11, 2);
    const int minute = digits(text, 14, 2);
    const int second = digits(text, 17, 2);
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
        std::min({year, month, day, hour, minute, second}) < 0) {
        return bad_time(text, "expected 2026-11-23T12:00:00Z");
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return bad_time(text, "there is no such day");
    if (hour > 23 || minute > 59 || second > 60)
        return bad_time(text, "there is no such time of day");
    std::size_t at = 19;
    std::int64_t fraction = 0;
    if (text[at] == '.') {
        const std::size_t begin = ++at;
        for (std::int64_t scale = 100'000; at < text.size() && is_digit(text[at]);
             ++at, scale /= 10) {
            fraction += scale * (text[at] - '0');
        }
        if (at == begin) return bad_time(text, "digits are missing after the point");
    }
    int offset_minutes = 0;
    if (!read_offset(text.substr(at), offset_minutes)) {
        return bad_time(text, "it must end in Z or an offset such as +01:00");
    }
    return TimePoint{sys_days{date}} + std::chrono::hours{hour} +
           std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second} +
           Duration{fraction};
}

Result<Duration> parse_duration(std::string_view text) {
    if (text.empty()) return bad_duration(text, "it is empty");
    if (text.size() > 64) return bad_duration(text, "longer than 64 characters");
    return text[0] == 'P' ? parse_iso(text) : parse_plain(text);
}

std::string format_duration(Duration duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    for (const Unit& unit : kUnits) {
        if (count % unit.microseconds == 0) {
            return fmt::format("{}{}", count / unit.microseconds, unit.name);
        }
    }
    return fmt::format("{}us", count);
}

std::int64_t to_unix_ms(TimePoint point) {
    return std::chrono::floor<std::chrono::milliseconds>(point.time_since_epoch()).count();
}

TimePoint from_unix_ms(std::int64_t unix_ms) {
    return TimePoint{std::chrono::milliseconds{unix_ms}};
}

std::int64_t to_ms(Duration duration) {
    return std::chrono::floor<std::chrono::milliseconds>(duration).count();
}

}  // namespace longhaul
