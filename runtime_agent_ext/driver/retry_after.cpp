#include "runtime_agent_ext/driver/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <string>

namespace longhaul::runtime_agent_ext {
namespace {

std::optional<Duration> until_date(const std::string& text, TimePoint now) {
    std::tm date{};
    // The form that is to be sent; the obsolete ones are not read.
    const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (!end || *end != '\0') return std::nullopt;
    const std::time_t seconds = ::timegm(&date);
    const auto left = std::chrono::sys_seconds(std::chrono::seconds(seconds)) - now;
    return std::chrono::ceil<Duration>(left);
}

}  // namespace

std::optional<Duration> retry_after(std::string_view text, TimePoint now) {
    std::uint32_t seconds = 0;
    const char* const end = text.data() + text.size();
    const auto [read_to, error] = std::from_chars(text.data(), end, seconds);
    std::optional<Duration> wait;
    if (read_to == end && error == std::errc::result_out_of_range)
        wait = kRetryAfterMax;
    else if (read_to == end && error == std::errc{})
        wait = std::chrono::seconds(seconds);
    else
        wait = until_date(std::string(text), now);
    if (!wait) return std::nullopt;
    return std::clamp(*wait, Duration::zero(), kRetryAfterMax);
}

}  // namespace longhaul::runtime_agent_ext
