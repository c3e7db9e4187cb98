// Unpredictable bytes from the kernel, for tokens and secrets. What must replay in the simulator
// takes a port::Random instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace longhaul::crypto {

// Never fail: a kernel without randomness is one that nothing can be trusted on, so they abort.
[[nodiscard]] std::string random_bytes(std::size_t count);
[[nodiscard]] std::string random_hex(std::size_t byte_count);  // two digits per byte
[[nodiscard]] std::uint64_t random_u64();

}  // namespace longhaul::crypto
