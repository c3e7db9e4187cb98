#include "longhaul/lifecycle/retry_spec.hpp"

#include <algorithm>

namespace longhaul {
namespace {

// 0 … 1, the same for the same id and number.
double chance_of(const InvocationId& id, std::uint32_t tries) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char letter : id.text) {
        hash ^= static_cast<unsigned char>(letter);
        hash *= 0x100000001b3ULL;
    }
    hash += 0x9e3779b97f4a7c15ULL * (tries + 1);
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
    hash ^= hash >> 31;
    return static_cast<double>(hash >> 11) / static_cast<double>(1ULL << 53);
}

// Before chance has its part.
double full_wait(const RetrySpec& retry, std::uint32_t tries) {
    const auto max = static_cast<double>(retry.backoff_max.count());
    double wait = static_cast<double>(retry.backoff.count());
    for (std::uint32_t n = 1; n < tries && wait < max; ++n) {
        if (retry.multiplier <= 1) break;
        wait *= retry.multiplier;
    }
    return std::min(wait, max);
}

}  // namespace

Duration backoff_after(const RetrySpec& retry, const InvocationId& id, std::uint32_t tries,
                       Duration floor) {
    const double wait = full_wait(retry, tries);
    const double drawn = wait * (1 - retry.jitter * chance_of(id, tries));
    return std::max(Duration{static_cast<Duration::rep>(drawn)}, floor);
}

Duration backoffs_together(const RetrySpec& retry, std::uint32_t attempts) {
    double all = 0;
    for (std::uint32_t tries = 1; tries < attempts; ++tries) all += full_wait(retry, tries);
    return Duration{static_cast<Duration::rep>(all)};
}

}  // namespace longhaul
