#include "longhaul/base/text.hpp"

#include <cstdint>

namespace longhaul {
namespace {

struct Lead {
    std::size_t length = 0;
    std::uint8_t second_min = 0x80;
    std::uint8_t second_max = 0xbf;
};

// The ranges of RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
Lead lead_of(std::uint8_t byte) {
    if (byte < 0x80) return {1};
    if (byte < 0xc2) return {0};
    if (byte < 0xe0) return {2};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f};
    if (byte < 0xf0) return {3};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0};
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

void append_escape(std::string& out, std::uint8_t byte) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    switch (byte) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
    }
    out += "\\u00";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
}

}  // namespace

std::size_t utf8_sequence(std::string_view text) {
    if (text.empty()) return 0;
    const Lead lead = lead_of(static_cast<std::uint8_t>(text[0]));
    if (lead.length <= 1) return lead.length;
    if (text.size() < lead.length) return 0;
    const auto second = static_cast<std::uint8_t>(text[1]);
    if (second < lead.second_min || second > lead.second_max) return 0;
    for (std::size_t i = 2; i < lead.length; ++i) {
        if ((static_cast<std::uint8_t>(text[i]) & 0xc0) != 0x80) return 0;
    }
    return lead.length;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string to_utf8(std::string_view text, std::size_t bytes_max) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const std::string_view character = length == 0 ? kReplacement : text.substr(0, length);
        if (out.size() + character.size() > bytes_max) break;
        out += character;
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

void append_json_string(std::string& out, std::string_view text) {
    out.reserve(out.size() + text.size() + 2);
    out += '"';
    while (!text.empty()) {
        const auto byte = static_cast<std::uint8_t>(text[0]);
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f) {
            append_escape(out, byte);
            text.remove_prefix(1);
            continue;
        }
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            out += kReplacement;
            text.remove_prefix(1);
            continue;
        }
        out.append(text.substr(0, length));
        text.remove_prefix(length);
    }
    out += '"';
}

}  // namespace longhaul
