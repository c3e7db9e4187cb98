#include "gateway/core/function_queue.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr Duration kRetryLeast = std::chrono::seconds(1);
constexpr Duration kRetryMost = std::chrono::hours(1);
constexpr Duration kRetryUnknown = std::chrono::seconds(10);  // nothing has moved yet
constexpr std::uint64_t kRetryPart = 10;  // of the queue is to have gone, so that many find room

}  // namespace

void FunctionQueue::observe_run(Duration run) {
    mean_run = mean_run.count() == 0 ? run : (mean_run * 7 + run) / 8;
}

std::optional<Duration> FunctionQueue::time_for(std::uint64_t count, TimePoint now) const {
    if (const auto measured = drain.time_for(count, now)) return measured;
    if (mean_run.count() == 0) return std::nullopt;
    const std::uint64_t slots = current ? current->max_running : 1;
    return mean_run * static_cast<Duration::rep>((count + slots - 1) / slots);
}

Duration FunctionQueue::retry_after(TimePoint now) const {
    const std::uint64_t count = std::max<std::uint64_t>(1, queued / kRetryPart);
    return std::clamp(time_for(count, now).value_or(kRetryUnknown), kRetryLeast, kRetryMost);
}

const Waiter* FunctionQueue::oldest() const {
    const Waiter* in_line = lines.oldest();
    if (backing_off.empty()) return in_line;
    const Waiter* apart = backing_off.begin()->second;
    return in_line && in_line->ticket < apart->ticket ? in_line : apart;
}

}  // namespace longhaul::gateway
