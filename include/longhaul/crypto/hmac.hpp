// HMAC-SHA-256 (RFC 2104, FIPS 198-1).
#pragma once

#include "longhaul/crypto/sha256.hpp"

#include <string_view>

namespace longhaul::crypto {

[[nodiscard]] Sha256Bytes hmac_sha256(std::string_view key, std::string_view bytes);

}  // namespace longhaul::crypto
