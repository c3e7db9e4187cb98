// The stages of an invocation's attempts, drawn over time, with a word of advice: what the way to
// the first line of the function was spent on, and what can be done about it.
#pragma once

#include "longhaul/wire/json.hpp"

#include <string>

namespace longhaul::cli {

// `document` is an invocation's (PROTOCOL.md, "Documents"). `width`: columns of the longest bar.
[[nodiscard]] std::string waterfall(const wire::Json& document, std::size_t width = 40);

}  // namespace longhaul::cli
