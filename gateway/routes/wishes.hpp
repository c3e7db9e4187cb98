// What a caller may ask of an invocation, when it is submitted (headers) and later (PATCH): the
// rules for each value, written once. Messages say the rule; the caller adds header or member.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::gateway {

inline constexpr std::size_t kLabelsMax = 16;
inline constexpr Duration kDeadlineMax = std::chrono::hours(24 * 365);

using Labels = std::vector<std::pair<std::string, std::string>>;

// An RFC 3339 time, or a duration from `now`; at most `max` from now. May lie in the past.
[[nodiscard]] Result<TimePoint> parse_moment(std::string_view text, TimePoint now, Duration max);

// Whether they may be a label's.
[[nodiscard]] Result<void> check_label(const std::string& name, const std::string& value);

}  // namespace longhaul::gateway
