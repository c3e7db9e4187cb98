#include "longhaul/lifecycle/attempt_digest.hpp"

#include <algorithm>

namespace longhaul {
namespace {

constexpr std::uint64_t kFnvBasis = 14695981039346656037ULL;
constexpr std::uint64_t kFnvPrime = 1099511628211ULL;
constexpr std::uint8_t kDispatched = 1;

std::uint64_t mixed_in(std::uint64_t hash, std::uint64_t value, int bytes) {
    for (int byte = 0; byte < bytes; ++byte)
        hash = (hash ^ ((value >> (8 * byte)) & 0xff)) * kFnvPrime;
    return hash;
}

}  // namespace

void AttemptDigest::add(const InvocationId& id, AttemptNumber attempt, std::uint8_t rank) {
    std::uint64_t hash = kFnvBasis;
    for (const char letter : id.text) hash = mixed_in(hash, static_cast<unsigned char>(letter), 1);
    hash = mixed_in(hash, 0, 1);
    hash = mixed_in(hash, attempt, 4);
    hash = mixed_in(hash, std::max(rank, kDispatched), 1);
    // FNV's high bits are weak; sums of them would collide.
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
    sum += hash ^ (hash >> 31);
    ++count;
}

}  // namespace longhaul
