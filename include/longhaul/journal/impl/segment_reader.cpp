#include "longhaul/journal/segment_reader.hpp"

#include "longhaul/base/mutant.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace longhaul::journal {

namespace {

constexpr std::size_t kReadAheadBytes = 256 * 1024;

// Length without the zeros at the end.
std::size_t significant_bytes(std::span<const std::byte> bytes) {
    std::size_t length = bytes.size();
    while (length >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + length - 8, 8);
        if (word != 0) {
            break;
        }
        length -= 8;
    }
    while (length > 0 && bytes[length - 1] == std::byte{0}) {
        --length;
    }
    return length;
}

}  // namespace

SegmentReader::SegmentReader(port::File& file, std::string path)
    : file_{file}, path_{std::move(path)} {}

Result<void> SegmentReader::open(Position first) {
    const auto block = view(0, kBlockBytes);
    if (!block) {
        return block.error();
    }
    if (block->size() < kBlockBytes) {
        return corrupt_here("the file ends inside its header");
    }
    const auto decoded = decode_segment_header(*block);
    if (!decoded) {
        return corrupt_here("the segment's header fails its check");
    }
    if (decoded->first != first) {
        return corrupt_here(fmt::format(
            "its header says that it begins at position {}, its name {}", decoded->first, first));
    }
    const auto size = file_.size();
    if (!size) {
        return size.error();
    }
    if (*size < decoded->bytes) {
        return corrupt_here(
            fmt::format("the file has {} bytes, its header says {}", *size, decoded->bytes));
    }
    header_ = *decoded;
    offset_ = kBlockBytes;
    next_position_ = first;
    last_crc_ = header_.previous_crc;
    return {};
}

Result<std::optional<SegmentReader::Batch>> SegmentReader::next() {
    const std::optional<Batch> nothing;
    if (offset_ + kBlockBytes > header_.bytes) {
        fault_ = "the segment is full";
        return nothing;
    }
    const auto block = view(offset_, kBlockBytes);
    if (!block) {
        return block.error();
    }
    const auto found = block->size() < kBlockBytes ? std::nullopt : decode_batch_header(*block);
    fault_ = found ? find_fault(*found) : "no batch header";
    if (!fault_.empty()) {
        return nothing;
    }
    const std::uint64_t length = kHeaderBytes + found->length;
    const auto whole = view(offset_, length);
    if (!whole) {
        return whole.error();
    }
    const bool holds = batch_crc_holds(*found, whole->first(std::min(whole->size(), length))) ||
                       mutant(Mutant::torn_tail_accepted);
    if (whole->size() < length || !holds) {
        fault_ = "the batch fails its check";
        return nothing;
    }
    const Batch batch{*found, whole->subspan(kHeaderBytes, found->length)};
    offset_ += align_to_block(length);
    next_position_ += found->count;
    last_crc_ = found->crc;
    last_batch_ = *found;
    return std::optional<Batch>{batch};
}

Result<SegmentReader::Rest> SegmentReader::inspect_rest() {
    Rest rest{.end = offset_};
    for (std::uint64_t at = offset_; at < header_.bytes; at += kReadAheadBytes) {
        const std::uint64_t wanted = std::min<std::uint64_t>(kReadAheadBytes, header_.bytes - at);
        const auto piece = view(at, wanted);
        if (!piece) {
            return piece.error();
        }
        const auto bytes = piece->first(std::min<std::size_t>(piece->size(), wanted));
        const std::size_t significant = significant_bytes(bytes);
        if (significant != 0) {
            rest.end = at + significant;
        }
        for (std::size_t block = 0; block < significant && !rest.later_batch;
             block += kBlockBytes) {
            if (at + block == offset_ || bytes.size() - block < kHeaderBytes) {
                continue;
            }
            const auto header = decode_batch_header(bytes.subspan(block));
            if (header && header->salt == header_.salt && header->first >= next_position_ &&
                header->durable + 1 >= next_position_) {
                rest.later_batch = at + block;
            }
        }
    }
    return rest;
}

Error SegmentReader::corrupt_here(const std::string& reason) const {
    return make_error(Errc::corrupt,
                      fmt::format("journal segment {} is damaged at offset {} (position {}): {}",
                                  path_, offset_, next_position_, reason));
}

Result<std::span<const std::byte>> SegmentReader::view(std::uint64_t offset, std::uint64_t length) {
    const bool held = offset >= window_offset_ && offset + length <= window_offset_ + window_bytes_;
    if (!held) {
        window_.resize(std::max<std::size_t>(kReadAheadBytes, length));
        const auto got = file_.read_at(offset, window_);
        if (!got) {
            window_bytes_ = 0;
            return got.error();
        }
        window_offset_ = offset;
        window_bytes_ = *got;
    }
    return std::span<const std::byte>{window_}.subspan(offset - window_offset_,
                                                       window_offset_ + window_bytes_ - offset);
}

std::string SegmentReader::find_fault(const BatchHeader& found) const {
    if (found.salt != header_.salt) {
        return "the batch belongs to another segment";
    }
    if (found.first != next_position_) {
        return fmt::format("the batch begins at position {}", found.first);
    }
    if (found.previous_crc != last_crc_) {
        return "the batch does not follow the one before";
    }
    if (offset_ + align_to_block(kHeaderBytes + std::uint64_t{found.length}) > header_.bytes) {
        return fmt::format("the batch has {} bytes, more than the segment", found.length);
    }
    return {};
}

}  // namespace longhaul::journal
