// Port: randomness. From the kernel in production, from the seed in the simulator.
#pragma once

#include <cstdint>

namespace longhaul::port {

class Random {
public:
    virtual ~Random() = default;

    // 64 unpredictable bits (production: getrandom(2)). Never fails.
    [[nodiscard]] virtual std::uint64_t next() = 0;
};

}  // namespace longhaul::port
