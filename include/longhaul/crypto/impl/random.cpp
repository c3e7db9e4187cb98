#include "longhaul/crypto/random.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/crypto/sha256.hpp"

#include <sys/random.h>
#include <cerrno>
#include <cstring>

namespace longhaul::crypto {

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t filled = 0;
    while (filled < count) {
        const ssize_t read = ::getrandom(bytes.data() + filled, count - filled, 0);
        if (read < 0 && errno == EINTR) continue;
        LH_ASSERT(read > 0);
        filled += static_cast<std::size_t>(read);
    }
    return bytes;
}

std::string random_hex(std::size_t byte_count) { return to_hex(random_bytes(byte_count)); }

std::uint64_t random_u64() {
    const std::string bytes = random_bytes(sizeof(std::uint64_t));
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

}  // namespace longhaul::crypto
