#include "longhaul/journal/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace longhaul::journal {

namespace {

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Table make_table() {
    Table table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
        }
        table[0][byte] = value;
    }
    for (std::size_t slice = 1; slice < 8; ++slice) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = table[slice - 1][byte];
            table[slice][byte] = (before >> 8) ^ table[0][before & 0xff];
        }
    }
    return table;
}

constexpr Table kTable = make_table();

std::uint8_t octet(std::byte byte) { return std::to_integer<std::uint8_t>(byte); }

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(
    std::uint32_t crc, std::span<const std::byte> bytes) {
    std::uint64_t state = static_cast<std::uint32_t>(~crc);
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, 8);
        state = _mm_crc32_u64(state, word);
    }
    auto rest = static_cast<std::uint32_t>(state);
    for (; at < bytes.size(); ++at) {
        rest = _mm_crc32_u8(rest, octet(bytes[at]));
    }
    return ~rest;
}
#endif

using Function = std::uint32_t (*)(std::uint32_t, std::span<const std::byte>);

Function choose() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return crc32c_by_instruction;
    }
#endif
    return crc32c_by_table;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) {
    static const Function chosen = choose();
    return chosen(crc, bytes);
}

std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const std::byte> bytes) {
    std::uint32_t state = ~crc;
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        const std::byte* next = bytes.data() + at;
        state ^= static_cast<std::uint32_t>(octet(next[0])) |
                 static_cast<std::uint32_t>(octet(next[1])) << 8 |
                 static_cast<std::uint32_t>(octet(next[2])) << 16 |
                 static_cast<std::uint32_t>(octet(next[3])) << 24;
        state = kTable[7][state & 0xff] ^ kTable[6][(state >> 8) & 0xff] ^
                kTable[5][(state >> 16) & 0xff] ^ kTable[4][state >> 24] ^
                kTable[3][octet(next[4])] ^ kTable[2][octet(next[5])] ^ kTable[1][octet(next[6])] ^
                kTable[0][octet(next[7])];
    }
    for (; at < bytes.size(); ++at) {
        state = (state >> 8) ^ kTable[0][(state ^ octet(bytes[at])) & 0xff];
    }
    return ~state;
}

}  // namespace longhaul::journal
