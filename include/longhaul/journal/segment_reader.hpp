// Reads one segment from its start, batch by batch, and believes nothing that it has not checked.
//
// Blocking. Not thread-safe.
#pragma once

#include "longhaul/journal/batch_codec.hpp"
#include "longhaul/port/disk.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace longhaul::journal {

class SegmentReader {
public:
    // `path` is for messages.
    SegmentReader(port::File& file, std::string path);

    // Reads and checks the header block. Errc::corrupt if it is damaged, does not carry `first`, or
    // the file is shorter than it says.
    [[nodiscard]] Result<void> open(Position first);

    struct Batch {
        BatchHeader header;
        std::span<const std::byte> payload;  // valid until the next call
    };
    // The batch at offset(), which it then passes; nothing if no valid continuation of the chain
    // lies there, for the reason fault(). An error is one of the disk.
    [[nodiscard]] Result<std::optional<Batch>> next();

    // What lies at offset() and beyond, after next() gave nothing.
    struct Rest {
        std::uint64_t end = 0;  // past the last byte that is not zero; offset() if there is none
        // Where a later header lies. Batches are written one at a time, each after the one before
        // was durable: so a later header says that what is missing here was durable.
        std::optional<std::uint64_t> later_batch{};
    };
    [[nodiscard]] Result<Rest> inspect_rest();

    // Errc::corrupt at offset(), naming segment, offset and reason.
    [[nodiscard]] Error corrupt_here(const std::string& reason) const;

    // REQUIRES: open() succeeded.
    [[nodiscard]] const SegmentHeader& header() const { return header_; }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }
    [[nodiscard]] Position next_position() const { return next_position_; }
    // The last valid batch: its crc (that of the segment before, if none yet) and its header.
    [[nodiscard]] std::uint32_t last_crc() const { return last_crc_; }
    [[nodiscard]] const std::optional<BatchHeader>& last_batch() const { return last_batch_; }
    [[nodiscard]] const std::string& fault() const { return fault_; }

private:
    // At least `length` bytes from `offset` where the file has them.
    [[nodiscard]] Result<std::span<const std::byte>> view(std::uint64_t offset,
                                                          std::uint64_t length);
    [[nodiscard]] std::string find_fault(const BatchHeader& found) const;

    port::File& file_;
    const std::string path_;

    SegmentHeader header_;
    std::uint64_t offset_ = 0;
    Position next_position_ = 0;
    std::uint32_t last_crc_ = 0;
    std::optional<BatchHeader> last_batch_;
    std::string fault_;

    // A part of the file, read ahead.
    std::vector<std::byte> window_;
    std::uint64_t window_offset_ = 0;
    std::size_t window_bytes_ = 0;
};

}  // namespace longhaul::journal
