// Time, as every part of longhaul sees it.
//
// A TimePoint is microseconds since the Unix epoch, read from a Clock (port/clock.hpp) that is
// anchored on the wall clock once, at start, and then follows the monotonic clock. So a step of the
// wall clock moves no timer, and a point can still be stored and shown.
#pragma once

#include "longhaul/base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace longhaul {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<Duration>;

// "2026-11-23T12:00:00.000Z": RFC 3339, UTC, milliseconds.
[[nodiscard]] std::string format_rfc3339(TimePoint point);

// Reads RFC 3339 with any offset and fraction. Errc::invalid_argument says what is wrong.
[[nodiscard]] Result<TimePoint> parse_rfc3339(std::string_view text);

// Reads "90" (seconds), "90s", "1.5s", "250ms", "15m", "3h", "7d", "1h30m" and ISO 8601 "PT3H".
// Never negative. Errc::invalid_argument says what is wrong.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

// The shortest exact form that parse_duration() reads: "15m", "90s", "250ms".
[[nodiscard]] std::string format_duration(Duration duration);

[[nodiscard]] std::int64_t to_unix_ms(TimePoint point);
[[nodiscard]] TimePoint from_unix_ms(std::int64_t unix_ms);
[[nodiscard]] std::int64_t to_ms(Duration duration);

}  // namespace longhaul
