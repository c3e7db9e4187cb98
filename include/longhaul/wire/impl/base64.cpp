#include "longhaul/wire/base64.hpp"

#include <array>
#include <cstdint>

namespace longhaul::wire {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t kNone = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNone);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
    return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::uint32_t group =
            byte_at(bytes, at) << 16 | byte_at(bytes, at + 1) << 8 | byte_at(bytes, at + 2);
        out += kAlphabet[group >> 18];
        out += kAlphabet[(group >> 12) & 63];
        out += at + 1 < bytes.size() ? kAlphabet[(group >> 6) & 63] : '=';
        out += at + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
    }
    return out;
}

Result<std::string> base64_decode(std::string_view text) {
    const auto bad = [](const char* what) {
        return make_error(Errc::invalid_argument, std::string("malformed base64: ") + what);
    };
    if (text.size() % 4 != 0) return bad("the length is no multiple of 4");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t at = 0; at < text.size(); at += 4) {
        const std::size_t used = at + 4 == text.size() ? 4 - padding : 4;
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint8_t value =
                i < used ? kValues[static_cast<std::uint8_t>(text[at + i])] : std::uint8_t{0};
            if (value == kNone) return bad("a character outside of the alphabet");
            group = group << 6 | value;
        }
        const std::uint32_t unused = used == 4 ? 0 : used == 3 ? group & 0xff : group & 0xffff;
        if (unused != 0) return bad("bits after the end");
        for (std::size_t i = 0; i + 1 < used; ++i) {
            out += static_cast<char>(static_cast<std::uint8_t>(group >> (16 - 8 * i)));
        }
    }
    return out;
}

}  // namespace longhaul::wire
