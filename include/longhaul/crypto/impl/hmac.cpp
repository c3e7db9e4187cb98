#include "longhaul/crypto/hmac.hpp"

#include "longhaul/base/assert.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace longhaul::crypto {

Sha256Bytes hmac_sha256(std::string_view key, std::string_view bytes) {
    Sha256Bytes out{};
    unsigned length = 0;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto* done = ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), data,
                              bytes.size(), out.data(), &length);
    LH_ASSERT(done != nullptr && length == out.size());
    return out;
}

}  // namespace longhaul::crypto
