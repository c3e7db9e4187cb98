#include "gateway/routes/utf8.hpp"

#include <cstdint>

namespace longhaul::gateway {
namespace {

// Bytes of the well-formed sequence at the front, or 0.
std::size_t sequence_length(std::string_view bytes) {
    const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
    for (std::size_t index = 1; index < length; ++index)
        if ((byte(index) & 0xc0) != 0x80) return 0;
    // Overlong forms, surrogates, and what lies above U+10FFFF.
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return length;
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
    std::string valid;
    valid.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = sequence_length(bytes);
        if (length == 0)
            valid += "\xef\xbf\xbd";
        else
            valid += bytes.substr(0, length);
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return valid;
}

}  // namespace longhaul::gateway
