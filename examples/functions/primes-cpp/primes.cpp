// Counts primes up to the number on stdin with a segmented sieve; a line of log for each part.
//
// stdin: a number, or {"to": 1000000000}. stdout: a JSON document. Exit code 2: a wrong event.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t kMax = 1'000'000'000'000;
constexpr std::uint64_t kSegment = 1 << 18;  // numbers; what fits into a cache
constexpr int kParts = 20;                   // lines of log

// The only number of the event; 0 where there is none.
std::uint64_t number_in(const std::string& event) {
    const auto first = event.find_first_of("0123456789");
    if (first == std::string::npos || event.size() > 1000) return 0;
    try {
        return std::stoull(event.substr(first));
    } catch (const std::exception&) {
        return 0;
    }
}

std::vector<std::uint32_t> small_primes(std::uint32_t to) {
    std::vector<bool> composite(to + 1);
    std::vector<std::uint32_t> primes;
    for (std::uint64_t n = 2; n <= to; ++n) {
        if (composite[n]) continue;
        primes.push_back(static_cast<std::uint32_t>(n));
        for (std::uint64_t multiple = n * n; multiple <= to; multiple += n)
            composite[multiple] = true;
    }
    return primes;
}

// Primes in [from, end), and the largest of them, if there is one.
std::uint64_t count_segment(std::uint64_t from, std::uint64_t end,
                            const std::vector<std::uint32_t>& primes, std::uint64_t& largest) {
    std::vector<char> composite(end - from);
    for (const std::uint64_t prime : primes) {
        if (prime * prime >= end) break;
        auto multiple = std::max(prime * prime, (from + prime - 1) / prime * prime);
        for (; multiple < end; multiple += prime) composite[multiple - from] = 1;
    }
    std::uint64_t count = 0;
    for (std::uint64_t n = from; n < end; ++n) {
        if (composite[n - from]) continue;
        ++count;
        largest = n;
    }
    return count;
}

}  // namespace

int main() {
    const std::string event{std::istreambuf_iterator<char>(std::cin), {}};
    const std::uint64_t to = number_in(event);
    if (to < 2 || to > kMax) {
        std::fprintf(stderr, "give a number from 2 to %" PRIu64 " as the event\n", kMax);
        return 2;
    }
    const auto begun = std::chrono::steady_clock::now();
    const auto primes = small_primes(static_cast<std::uint32_t>(std::sqrt(to)) + 1);
    std::uint64_t count = 0;
    std::uint64_t largest = 0;
    int part = 0;
    for (std::uint64_t from = 2; from <= to; from += kSegment) {
        const std::uint64_t end = std::min(from + kSegment, to + 1);
        count += count_segment(from, end, primes, largest);
        const int done = static_cast<int>((end - 1) * kParts / to);
        if (done <= part) continue;
        part = done;
        std::fprintf(stderr, "%3d %%: %" PRIu64 " primes up to %" PRIu64 "\n",
                     part * 100 / kParts, count, end - 1);
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
    std::fprintf(stderr, "done in %.1f s\n", spent.count());
    std::printf("{\"to\": %" PRIu64 ", \"primes\": %" PRIu64 ", \"largest\": %" PRIu64 "}\n", to,
                count, largest);
    return 0;
}
