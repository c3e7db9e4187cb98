// Retry-After of a function's server, which a retry policy goes by (RFC 9110, 10.2.3).
#pragma once

#include "longhaul/base/time.hpp"

#include <optional>
#include <string_view>

namespace longhaul::runtime_agent_ext {

inline constexpr Duration kRetryAfterMax = std::chrono::hours(24 * 7);

// From now: the seconds that it names, or until its HTTP date; at most kRetryAfterMax. Nothing: it
// is neither, as any text may be that a function sends. A date that has passed is no wait.
[[nodiscard]] std::optional<Duration> retry_after(std::string_view text, TimePoint now);

}  // namespace longhaul::runtime_agent_ext
