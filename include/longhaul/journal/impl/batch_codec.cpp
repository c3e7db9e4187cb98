#include "longhaul/journal/batch_codec.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/journal/crc32c.hpp"

#include <cstring>
#include <limits>
#include <string_view>

namespace longhaul::journal {

namespace {

constexpr std::uint32_t kSegmentMagic = 0x4753484c;  // "LHSG"
constexpr std::uint32_t kBatchMagic = 0x5442484c;    // "LHBT"
constexpr std::uint16_t kVersion = 1;

constexpr std::size_t kCrcOffset = 8;
constexpr std::size_t kAfterCrc = 12;

template <class Integer>
void put(std::span<std::byte> out, std::size_t offset, Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        out[offset + i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
    }
}

template <class Integer>
Integer get(std::span<const std::byte> in, std::size_t offset) {
    Integer value = 0;
    for (std::size_t i = 0; i < sizeof(Integer); ++i) {
        value = static_cast<Integer>(
            value | static_cast<Integer>(std::to_integer<Integer>(in[offset + i]) << (8 * i)));
    }
    return value;
}

std::uint32_t crc_without_itself(std::span<const std::byte> bytes) {
    return crc32c(crc32c(0, bytes.first(kCrcOffset)), bytes.subspan(kAfterCrc));
}

std::uint64_t payload_bytes(std::span<const std::string> records) {
    std::uint64_t total = 0;
    for (const auto& record : records) {
        total += kRecordOverheadBytes + record.size();
    }
    return total;
}

// Zeroed room for `bytes` more, rounded up to whole blocks.
std::span<std::byte> grow(std::vector<std::byte>& out, std::uint64_t bytes) {
    LH_ASSERT(out.size() % kBlockBytes == 0);
    const std::size_t at = out.size();
    out.resize(at + align_to_block(bytes));
    return std::span{out}.subspan(at, bytes);
}

}  // namespace

std::uint64_t batch_bytes(std::span<const std::string> records) {
    return align_to_block(kHeaderBytes + payload_bytes(records));
}

void append_segment_header(std::vector<std::byte>& out, const SegmentHeader& header) {
    const auto block = grow(out, kHeaderBytes);
    put(block, 0, kSegmentMagic);
    put(block, 4, kVersion);
    put(block, 12, header.previous_crc);
    put(block, 16, header.first);
    put(block, 24, header.bytes);
    put(block, 32, header.salt);
    put(block, kCrcOffset, crc_without_itself(block));
}

std::uint32_t append_batch(std::vector<std::byte>& out, BatchHeader header,
                           std::span<const std::string> records) {
    const std::uint64_t length = payload_bytes(records);
    LH_ASSERT(length <= std::numeric_limits<std::uint32_t>::max());
    const auto batch = grow(out, kHeaderBytes + length);
    put(batch, 0, kBatchMagic);
    put(batch, 4, kVersion);
    put(batch, 12, static_cast<std::uint32_t>(length));
    put(batch, 16, header.first);
    put(batch, 24, static_cast<std::uint32_t>(records.size()));
    put(batch, 28, header.previous_crc);
    put(batch, 32, header.durable);
    put(batch, 40, header.salt);
    std::size_t at = kHeaderBytes;
    for (const auto& record : records) {
        put(batch, at, static_cast<std::uint32_t>(record.size()));
        at += kRecordOverheadBytes;
        if (!record.empty()) {
            std::memcpy(batch.data() + at, record.data(), record.size());
        }
        at += record.size();
    }
    const std::uint32_t crc = crc_without_itself(batch);
    put(batch, kCrcOffset, crc);
    return crc;
}

std::optional<SegmentHeader> decode_segment_header(std::span<const std::byte> block) {
    const auto bytes = block.first(kHeaderBytes);
    if (get<std::uint32_t>(bytes, 0) != kSegmentMagic || get<std::uint16_t>(bytes, 4) != kVersion ||
        get<std::uint32_t>(bytes, kCrcOffset) != crc_without_itself(bytes)) {
        return std::nullopt;
    }
    return SegmentHeader{.first = get<std::uint64_t>(bytes, 16),
                         .bytes = get<std::uint64_t>(bytes, 24),
                         .previous_crc = get<std::uint32_t>(bytes, 12),
                         .salt = get<std::uint64_t>(bytes, 32)};
}

std::optional<BatchHeader> decode_batch_header(std::span<const std::byte> block) {
    const auto bytes = block.first(kHeaderBytes);
    if (get<std::uint32_t>(bytes, 0) != kBatchMagic || get<std::uint16_t>(bytes, 4) != kVersion) {
        return std::nullopt;
    }
    return BatchHeader{.first = get<std::uint64_t>(bytes, 16),
                       .count = get<std::uint32_t>(bytes, 24),
                       .length = get<std::uint32_t>(bytes, 12),
                       .previous_crc = get<std::uint32_t>(bytes, 28),
                       .durable = get<std::uint64_t>(bytes, 32),
                       .salt = get<std::uint64_t>(bytes, 40),
                       .crc = get<std::uint32_t>(bytes, kCrcOffset)};
}

bool batch_crc_holds(const BatchHeader& header, std::span<const std::byte> batch) {
    return crc_without_itself(batch) == header.crc;
}

Result<void> for_each_record(const BatchHeader& header, std::span<const std::byte> payload,
                             const std::function<Result<void>(Position, std::string_view)>& each) {
    std::size_t at = 0;
    for (std::uint32_t index = 0; index < header.count; ++index) {
        if (payload.size() - at < kRecordOverheadBytes) {
            return make_error(Errc::corrupt, "a batch ends inside the size of a record");
        }
        const auto size = get<std::uint32_t>(payload, at);
        at += kRecordOverheadBytes;
        if (payload.size() - at < size) {
            return make_error(Errc::corrupt, "a batch ends inside a record");
        }
        const std::string_view record{reinterpret_cast<const char*>(payload.data()) + at, size};
        at += size;
        if (auto visited = each(header.first + index, record); !visited) {
            return visited;
        }
    }
    if (at != payload.size()) {
        return make_error(Errc::corrupt, "a batch has bytes after its last record");
    }
    return {};
}

}  // namespace longhaul::journal
