// Text on its way out: UTF-8 checks and JSON string literals, for log lines and documents.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longhaul {

// Bytes in the well-formed UTF-8 sequence that `text` starts with; 0 where there is none.
[[nodiscard]] std::size_t utf8_sequence(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);

// `text` with U+FFFD for each byte that is no UTF-8, cut to at most `bytes_max` bytes, never inside
// a character.
[[nodiscard]] std::string to_utf8(std::string_view text, std::size_t bytes_max);

// Appends `text` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD, so that
// the output is always valid.
void append_json_string(std::string& out, std::string_view text);

}  // namespace longhaul
