// Random by seed (splitmix64): the same seed gives the same history.
#pragma once

#include "longhaul/base/time.hpp"
#include "longhaul/port/random.hpp"

namespace longhaul::test {

class SeededRandom final : public port::Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_{seed} {}

    [[nodiscard]] std::uint64_t next() override {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
        return mixed ^ (mixed >> 31);
    }

    // 0 … bound-1. REQUIRES: bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }

    // True in `probability` (0 … 1) of the calls. Draws nothing for 0 and 1.
    [[nodiscard]] bool chance(double probability) {
        if (probability <= 0) {
            return false;
        }
        if (probability >= 1) {
            return true;
        }
        return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
    }

    // 0 … limit, both included.
    [[nodiscard]] Duration up_to(Duration limit) {
        return Duration{
            static_cast<Duration::rep>(below(static_cast<std::uint64_t>(limit.count()) + 1))};
    }

private:
    std::uint64_t state_;
};

}  // namespace longhaul::test
