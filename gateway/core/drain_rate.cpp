#include "gateway/core/drain_rate.hpp"

#include <algorithm>
#include <cmath>

namespace longhaul::gateway {
namespace {

constexpr double kFadeSeconds = 60;
constexpr double kStandMost = 600;      // seconds of standing still that are remembered
constexpr double kGrantsLeast = 1e-9;   // once there was one: it fades and is not forgotten
constexpr double kLeastSeconds = 1e-6;  // the clock's own step
constexpr Duration kLongest = std::chrono::hours(24 * 365);  // what is longer is as good as never

double seconds_between(TimePoint from, TimePoint to) {
    return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

}  // namespace

void DrainRate::advance(TimePoint now) {
    if (anybody_) {
        const double passed = seconds_between(last_, now);
        const double fade = std::exp(-passed / kFadeSeconds);
        if (grants_ > 0) grants_ = std::max(grants_ * fade, kGrantsLeast);
        seconds_ = std::min(seconds_ * fade + passed, kStandMost);
    }
    last_ = now;
}

void DrainRate::waits(TimePoint now, bool anybody) {
    advance(now);
    anybody_ = anybody;
}

void DrainRate::granted(TimePoint now) {
    advance(now);
    grants_ += 1;
}

std::optional<double> DrainRate::per_second(TimePoint now) const {
    DrainRate until_now = *this;
    until_now.advance(now);
    if (until_now.grants_ <= 0) return std::nullopt;
    return until_now.grants_ / std::max(until_now.seconds_, kLeastSeconds);
}

std::optional<Duration> DrainRate::time_for(std::uint64_t count, TimePoint now) const {
    const auto rate = per_second(now);
    if (!rate) return std::nullopt;
    const double seconds = static_cast<double>(count) / *rate;
    const auto longest = std::chrono::duration<double>(kLongest).count();
    return std::chrono::ceil<Duration>(std::chrono::duration<double>(std::min(seconds, longest)));
}

}  // namespace longhaul::gateway
