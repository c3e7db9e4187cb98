// CRC-32C (Castagnoli), by the processor's instruction where it has one. Pure, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace longhaul::journal {

// Continues `crc` over `bytes`; start with 0. crc32c(crc32c(0, a), b) is that of a and b together.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes);

// The same by tables, whatever the processor: for the test that compares both.
[[nodiscard]] std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace longhaul::journal
