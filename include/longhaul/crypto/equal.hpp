// Comparison of secrets, whose time does not tell how much of a guess was right.
#pragma once

#include <string_view>

namespace longhaul::crypto {

// The lengths are no secret.
[[nodiscard]] bool equal_constant_time(std::string_view left, std::string_view right);

}  // namespace longhaul::crypto
