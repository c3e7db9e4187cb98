// The small words of HTTP: tokens, lists, reason phrases, dates. Pure.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::net {

[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right);
[[nodiscard]] bool is_token_char(unsigned char c);
[[nodiscard]] bool is_token(std::string_view text);
[[nodiscard]] std::string_view trim_blanks(std::string_view text);  // SP and HTAB

// True where `list` ("close, TE") has `token`, in any case.
[[nodiscard]] bool list_has(std::string_view list, std::string_view token);

// Digits alone; nothing where it does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_digits(std::string_view text);

// Nothing where an escape is malformed. In a query, '+' stays what it is.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

[[nodiscard]] std::string_view reason_phrase(int status);

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made once a second.
class DateLine {
public:
    [[nodiscard]] const std::string& at(TimePoint now);

private:
    std::int64_t second_ = -1;
    std::string text_;
};

}  // namespace longhaul::net
