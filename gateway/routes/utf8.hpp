// Bytes of a function's output, made fit for JSON.
#pragma once

#include <string>
#include <string_view>

namespace longhaul::gateway {

// `bytes` with every byte that is not part of well-formed UTF-8 (RFC 3629) replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view bytes);

}  // namespace longhaul::gateway
