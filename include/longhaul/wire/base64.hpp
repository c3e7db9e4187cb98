// Base64 (RFC 4648, section 4, with padding) for small bytes inside JSON.
#pragma once

#include "longhaul/base/result.hpp"

#include <string>
#include <string_view>

namespace longhaul::wire {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);

}  // namespace longhaul::wire
