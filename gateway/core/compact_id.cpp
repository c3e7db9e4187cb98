#include "gateway/core/compact_id.hpp"

#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace longhaul::gateway {
namespace {

struct Bits {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
};

constexpr std::size_t kLength = 36;
constexpr std::size_t kVersionAt = 14;

bool is_dash(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

// Nothing: it is no UUIDv7 in the one form that ids are written in.
std::optional<Bits> parse(std::string_view text) {
    if (text.size() != kLength || text[kVersionAt] != '7') return std::nullopt;
    Bits bits;
    for (std::size_t at = 0; at < kLength; ++at) {
        const char c = text[at];
        if (is_dash(at)) {
            if (c != '-') return std::nullopt;
            continue;
        }
        const bool is_letter = c >= 'a' && c <= 'f';
        if (!is_letter && (c < '0' || c > '9')) return std::nullopt;
        bits.high = bits.high << 4 | bits.low >> 60;
        bits.low = bits.low << 4 | static_cast<std::uint64_t>(is_letter ? c - 'a' + 10 : c - '0');
    }
    return bits;
}

}  // namespace

CompactId::CompactId(const InvocationId& id) {
    if (const auto bits = parse(id.text)) {
        high_ = bits->high;
        low_ = bits->low;
    } else {
        text_ = new std::string(id.text);
    }
}

CompactId::~CompactId() {
    if (is_text()) delete text_;
}

InvocationId CompactId::whole() const {
    if (is_text()) return InvocationId{*text_};
    std::string text = hex(high_, low_);
    for (std::size_t at = 0; at < kLength; ++at)
        if (is_dash(at)) text.insert(at, 1, '-');
    return InvocationId{std::move(text)};
}

std::size_t CompactId::hash() const {
    if (is_text()) return std::hash<std::string>{}(*text_);
    // splitmix64's finalizer: ids are made one after the other.
    std::uint64_t z = high_ * 0x9e3779b97f4a7c15ULL + low_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

bool operator==(const CompactId& left, const CompactId& right) {
    if (left.high_ != right.high_) return false;
    return left.is_text() ? *left.text_ == *right.text_ : left.low_ == right.low_;
}

bool operator<(const CompactId& left, const CompactId& right) {
    if (left.is_text() || right.is_text()) return left.whole() < right.whole();
    return std::tie(left.high_, left.low_) < std::tie(right.high_, right.low_);
}

}  // namespace longhaul::gateway
