// SHA-256, at once or piece by piece: names of packages and versions, fingerprints, proof that a
// body or a result arrived whole.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

struct SHA256state_st;

namespace longhaul::crypto {

using Sha256Bytes = std::array<std::uint8_t, 32>;

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&& other) noexcept;
    Sha256& operator=(Sha256&& other) noexcept;

    void update(std::string_view bytes);

    // The digest of all bytes so far; then it starts anew, as if just constructed.
    [[nodiscard]] Sha256Bytes finish();
    [[nodiscard]] std::string finish_hex();  // 64 lower-case hex digits

private:
    SHA256state_st* context_ = nullptr;  // owned
};

[[nodiscard]] Sha256Bytes sha256(std::string_view bytes);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace longhaul::crypto
