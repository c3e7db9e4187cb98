#include "longhaul/base/id.hpp"

namespace longhaul {
namespace {

constexpr std::size_t kUuidLength = 36;
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

unsigned hex_value(char c) { return static_cast<unsigned>(is_digit(c) ? c - '0' : c - 'a' + 10); }

void append_hex(std::string& out, std::uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) out += kHexDigits[(value >> shift) & 15];
}

bool is_uuid_v7(std::string_view text) {
    if (text.size() != kUuidLength) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_lower_hex(text[i])) return false;
    }
    return text[14] == '7' && hex_value(text[19]) / 4 == 2;
}

Error broken_rule(std::string_view what, std::string_view rule) {
    return make_error(Errc::invalid_argument, std::string(what) + " must be " + std::string(rule));
}

template <class T>
Result<T> parse_name(std::string_view text, std::string_view what) {
    static constexpr std::string_view kRule =
        "1 to 63 characters of a-z, 0-9, '_' and '-', beginning with a letter or digit";
    if (text.empty() || text.size() > 63) return broken_rule(what, kRule);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool inner = i > 0 && (c == '_' || c == '-');
        if (!is_lower(c) && !is_digit(c) && !inner) return broken_rule(what, kRule);
    }
    return T{std::string(text)};
}

}  // namespace

InvocationId make_invocation_id(TimePoint now, Shard shard, std::uint64_t random) {
    const auto unix_ms = static_cast<std::uint64_t>(to_unix_ms(now)) & 0xffff'ffff'ffffu;
    const std::uint64_t high = (unix_ms << 16) | 0x7000u | (shard & 0x0fffu);
    const std::uint64_t low = (random & 0x3fff'ffff'ffff'ffffu) | 0x8000'0000'0000'0000u;
    std::string text = hex(high, low);
    for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
    return InvocationId{std::move(text)};
}

Shard shard_of(const InvocationId& id) {
    if (is_uuid_v7(id.text)) {
        const std::string& text = id.text;
        return static_cast<Shard>(hex_value(text[15]) << 8 | hex_value(text[16]) << 4 |
                                  hex_value(text[17]));
    }
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : id.text) {
        hash ^= static_cast<std::uint8_t>(c);
        hash *= 1099511628211u;
    }
    // Folded, because the low bits of FNV mix least.
    return static_cast<Shard>((hash ^ (hash >> 24) ^ (hash >> 48)) & 0x0fffu);
}

std::string hex(std::uint64_t high, std::uint64_t low) {
    std::string out;
    out.reserve(kUuidLength);
    append_hex(out, high);
    append_hex(out, low);
    return out;
}

Result<InvocationId> parse_invocation_id(std::string_view text) {
    static constexpr std::string_view kRule =
        "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit";
    if (text.empty() || text.size() > 64) return broken_rule("an invocation id", kRule);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool inner = i > 0 && (c == '.' || c == '_' || c == '-');
        if (!is_lower(c) && !is_upper(c) && !is_digit(c) && !inner) {
            return broken_rule("an invocation id", kRule);
        }
    }
    return InvocationId{std::string(text)};
}

Result<TenantName> parse_tenant_name(std::string_view text) {
    return parse_name<TenantName>(text, "a tenant name");
}

Result<FunctionName> parse_function_name(std::string_view text) {
    return parse_name<FunctionName>(text, "a function name");
}

Result<Digest> parse_digest(std::string_view text) {
    static constexpr std::string_view kRule = "'sha256:' and 64 lower-case hex digits";
    static constexpr std::string_view kPrefix = "sha256:";
    if (text.size() != kPrefix.size() + 64 || text.substr(0, kPrefix.size()) != kPrefix) {
        return broken_rule("a digest", kRule);
    }
    for (const char c : text.substr(kPrefix.size())) {
        if (!is_lower_hex(c)) return broken_rule("a digest", kRule);
    }
    return Digest{std::string(text)};
}

}  // namespace longhaul
