#include "longhaul/crypto/sha256.hpp"

#include "longhaul/base/assert.hpp"

// The plain functions, not EVP: the first digest through EVP loads OpenSSL's providers, 2 MB
// resident and a millisecond, which each runtime agent would pay.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <utility>

namespace longhaul::crypto {
namespace {

std::string_view as_text(const Sha256Bytes& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Sha256::Sha256() : context_(new SHA256_CTX) { LH_ASSERT(SHA256_Init(context_) == 1); }

Sha256::~Sha256() { delete context_; }

Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Sha256& Sha256::operator=(Sha256&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
}

void Sha256::update(std::string_view bytes) {
    LH_ASSERT(context_ != nullptr);
    LH_ASSERT(SHA256_Update(context_, bytes.data(), bytes.size()) == 1);
}

Sha256Bytes Sha256::finish() {
    LH_ASSERT(context_ != nullptr);
    Sha256Bytes digest{};
    LH_ASSERT(SHA256_Final(digest.data(), context_) == 1);
    LH_ASSERT(SHA256_Init(context_) == 1);
    return digest;
}

std::string Sha256::finish_hex() {
    const Sha256Bytes digest = finish();
    return to_hex(as_text(digest));
}

Sha256Bytes sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish_hex();
}

std::string to_hex(std::string_view bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

}  // namespace longhaul::crypto
