#include "gateway/core/function_queue.hpp"

#include <algorithm>

namespace longhaul::gateway {

void FunctionQueue::observe_run(Duration run) {
    mean_run = mean_run.count() == 0 ? run : (mean_run * 7 + run) / 8;
}

Duration FunctionQueue::expected_wait(std::uint64_t position) const {
    const std::uint64_t slots = current ? current->max_running : 1;
    const auto turns = static_cast<Duration::rep>((position + slots - 1) / slots);
    return std::max<Duration>(std::chrono::seconds(1), mean_run * turns);
}

}  // namespace longhaul::gateway
