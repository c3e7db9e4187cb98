// Randomness from the kernel, fetched a page of words at a time.
//
// Not thread-safe: one executor owns it.
#pragma once

#include "longhaul/port/random.hpp"

#include <array>
#include <cstddef>

namespace longhaul::system {

class SystemRandom final : public port::Random {
public:
    [[nodiscard]] std::uint64_t next() override;

private:
    std::array<std::uint64_t, 32> words_{};
    std::size_t used_ = words_.size();
};

}  // namespace longhaul::system
