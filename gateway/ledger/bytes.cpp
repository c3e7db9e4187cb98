#include "gateway/ledger/bytes.hpp"

#include <bit>

namespace longhaul::gateway {
namespace {

constexpr int kVarintBytesMax = 10;
constexpr std::uint8_t kMoreBit = 0x80;

}  // namespace

void ByteWriter::u64(std::uint64_t value) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    out_.append(bytes, sizeof bytes);
}

void ByteWriter::varint(std::uint64_t value) {
    while (value >= kMoreBit) {
        u8(static_cast<std::uint8_t>(value | kMoreBit));
        value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
}

void ByteWriter::signed_varint(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    varint((bits << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void ByteWriter::real(double value) { u64(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::text(std::string_view value) {
    varint(value.size());
    out_.append(value);
}

std::uint8_t ByteReader::u8() {
    if (failed()) return 0;
    if (rest_.empty()) {
        fail("the bytes end early");
        return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
}

std::uint64_t ByteReader::u64() {
    if (failed()) return 0;
    if (rest_.size() < 8) {
        fail("the bytes end early");
        return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
        value |= std::uint64_t{static_cast<std::uint8_t>(rest_[i])} << (8 * i);
    rest_.remove_prefix(8);
    return value;
}

std::uint64_t ByteReader::varint(std::uint64_t max) {
    std::uint64_t value = 0;
    for (int i = 0; i < kVarintBytesMax; ++i) {
        const std::uint8_t byte = u8();
        if (failed()) return 0;
        const bool overlong = i > 0 && byte == 0;
        const bool too_wide = i == kVarintBytesMax - 1 && byte > 1;
        if (overlong || too_wide) break;
        value |= std::uint64_t{byte & 0x7fu} << (7 * i);
        if (byte & kMoreBit) continue;
        if (value <= max) return value;
        fail("a number is out of its range");
        return 0;
    }
    fail("a number has no valid encoding");
    return 0;
}

std::int64_t ByteReader::signed_varint() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>((bits >> 1) ^ (bits & 1 ? UINT64_MAX : 0));
}

double ByteReader::real() { return std::bit_cast<double>(u64()); }

std::string_view ByteReader::text() {
    const std::uint64_t size = varint();
    if (failed()) return {};
    if (size > rest_.size()) {
        fail("a text is longer than what is left");
        return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
}

std::size_t ByteReader::count() {
    const std::uint64_t items = varint();
    if (failed()) return 0;
    if (items > rest_.size()) {
        fail("a list is longer than what is left");
        return 0;
    }
    return items;
}

void ByteReader::fail(std::string_view what) {
    if (failed()) return;
    problem_ = what;
    rest_ = {};
}

Result<void> ByteReader::finish(std::string_view thing) const {
    if (failed())
        return make_error(Errc::corrupt, std::string(thing) + ": " + std::string(problem_));
    if (!rest_.empty())
        return make_error(Errc::corrupt, std::string(thing) + ": " + std::to_string(rest_.size()) +
                                             " bytes are left over");
    return {};
}

}  // namespace longhaul::gateway
