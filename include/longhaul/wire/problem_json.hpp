// RFC 9457 problem documents: the one table from Errc to HTTP status and problem type.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/wire/json.hpp"

#include <string>
#include <string_view>

namespace longhaul::wire {

// The status for `code`; 500 for what has none of its own.
[[nodiscard]] int http_status(Errc code);

// {"type", "title", "status", "detail"}. `type` is error.type or the code's own name; both are
// short tokens ("queue-full") under the base "https://longhaul.dev/problems/".
[[nodiscard]] Json problem(const Error& error);

// The error in a problem document that another component answered with.
[[nodiscard]] Error error_from_problem(int status, std::string_view body);

}  // namespace longhaul::wire
