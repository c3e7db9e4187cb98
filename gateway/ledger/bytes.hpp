// Writes and reads the bytes of records: little-endian numbers, varints, text behind its length.
//
// Values only; any thread. The reader never trusts what it reads: the first thing that does not fit
// makes it fail for good, and from then on every read gives an empty value.
//
// Invariants:
//   (1) Each value has exactly one encoding; any other (an overlong varint, a bool of 2) fails.
//   (2) The reader allocates at most what the bytes before it can hold.
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul::gateway {

class ByteWriter {
public:
    explicit ByteWriter(std::size_t bytes_expected = 256) { out_.reserve(bytes_expected); }

    void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
    void u64(std::uint64_t value);  // 8 bytes
    void varint(std::uint64_t value);
    void signed_varint(std::int64_t value);  // zigzag
    void real(double value);                 // its IEEE 754 bits
    void text(std::string_view value);

    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] std::uint8_t u8();
    [[nodiscard]] std::uint64_t u64();
    [[nodiscard]] std::uint64_t varint(std::uint64_t max = UINT64_MAX);
    [[nodiscard]] std::int64_t signed_varint();
    [[nodiscard]] double real();
    [[nodiscard]] std::string_view text();
    // A count of items that take at least one byte each.
    [[nodiscard]] std::size_t count();

    // Makes the reader fail, naming `what` if nothing failed before.
    void fail(std::string_view what);
    [[nodiscard]] bool failed() const { return !problem_.empty(); }

    // Errc::corrupt if anything failed or bytes are left over.
    [[nodiscard]] Result<void> finish(std::string_view thing) const;

private:
    std::string_view rest_;
    std::string_view problem_{};  // static text; "" = none yet
};

}  // namespace longhaul::gateway
