// The bytes of a segment: one header block, then batches, each aligned to 512 bytes.
//
// Little endian. Version 1; numbers and offsets travel on disks: do not change.
//   segment header, 64 of 512 bytes: magic "LHSG" u32 | version u16 | 0 u16 | crc u32 |
//     previous_crc u32 | first u64 | bytes u64 | salt u64 | 0 …
//   batch header, 64 bytes:          magic "LHBT" u32 | version u16 | 0 u16 | crc u32 |
//     length u32 | first u64 | count u32 | previous_crc u32 | durable u64 | salt u64 | 0 …
//   then `length` bytes: `count` records, each its size as u32 and its bytes; zeros to the block's
//   end.
// A crc is CRC-32C over header and payload without the four bytes of itself. Batches form a chain
// by previous_crc. A batch without records only states that all before it is durable: the seal.
// The salt is drawn per segment and unknown to whoever writes records, so that no record can pass
// for a header. Pure.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/port/journal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace longhaul::journal {

using port::Position;

inline constexpr std::size_t kBlockBytes = 512;
inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kRecordOverheadBytes = 4;

struct SegmentHeader {
    Position first = 1;              // position of its first record
    std::uint64_t bytes = 0;         // size of the file
    std::uint32_t previous_crc = 0;  // of the last batch of the segment before
    std::uint64_t salt = 0;
};

struct BatchHeader {
    Position first = 1;  // position of its first record; of the next one in a seal
    std::uint32_t count = 0;
    std::uint32_t length = 0;
    std::uint32_t previous_crc = 0;
    Position durable = 0;  // last durable position when it was written
    std::uint64_t salt = 0;
    std::uint32_t crc = 0;
};

[[nodiscard]] constexpr std::uint64_t align_to_block(std::uint64_t bytes) {
    return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

// Bytes that a batch of `records` takes in a segment.
[[nodiscard]] std::uint64_t batch_bytes(std::span<const std::string> records);

// Appends one block. REQUIRES: out.size() is a multiple of kBlockBytes.
void append_segment_header(std::vector<std::byte>& out, const SegmentHeader& header);

// Appends header, records and padding; count, length and crc are computed; returns the crc.
// REQUIRES: out.size() is a multiple of kBlockBytes; the records fit 32 bits of length.
std::uint32_t append_batch(std::vector<std::byte>& out, BatchHeader header,
                           std::span<const std::string> records);

// Nothing if magic, version or crc is wrong. REQUIRES: at least kHeaderBytes.
[[nodiscard]] std::optional<SegmentHeader> decode_segment_header(std::span<const std::byte> block);

// Nothing if magic or version is wrong; the crc is not checked. REQUIRES: at least kHeaderBytes.
[[nodiscard]] std::optional<BatchHeader> decode_batch_header(std::span<const std::byte> block);

// `batch` is header and payload, kHeaderBytes + header.length bytes.
[[nodiscard]] bool batch_crc_holds(const BatchHeader& header, std::span<const std::byte> batch);

// Calls `each` for the records of a payload; Errc::corrupt if they do not fill it exactly.
[[nodiscard]] Result<void> for_each_record(
    const BatchHeader& header, std::span<const std::byte> payload,
    const std::function<Result<void>(Position, std::string_view)>& each);

}  // namespace longhaul::journal
