#include "longhaul/crypto/equal.hpp"

#include <openssl/crypto.h>

namespace longhaul::crypto {

bool equal_constant_time(std::string_view left, std::string_view right) {
    if (left.size() != right.size()) return false;
    return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace longhaul::crypto
