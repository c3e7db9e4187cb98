// Identities. Each is a type of its own, so that a host is never passed where an instance is meant.
//
// All are short text, safe in a URL path and (tenants, functions) as a NATS token.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace longhaul {

template <class Tag>
struct Id {
    std::string text;

    [[nodiscard]] bool empty() const { return text.empty(); }
    friend auto operator<=>(const Id&, const Id&) = default;
    friend bool operator==(const Id&, const Id&) = default;
};

using InvocationId = Id<struct InvocationTag>;  // UUIDv7, or [A-Za-z0-9][A-Za-z0-9._-]{0,63}
using TenantName = Id<struct TenantTag>;        // [a-z0-9][a-z0-9_-]{0,62}
using FunctionName = Id<struct FunctionTag>;    // [a-z0-9][a-z0-9_-]{0,62}
using HostId = Id<struct HostTag>;
using InstanceId = Id<struct InstanceTag>;
using Digest = Id<struct DigestTag>;  // "sha256:" and 64 lower-case hex digits
using Token = Id<struct TokenTag>;    // 32 hex digits: the identity of one attempt

using AttemptNumber = std::uint32_t;  // 1, 2, …; 0 = none yet
using OwnerTerm = std::uint64_t;
using Epoch = std::uint64_t;
using Shard = std::uint16_t;  // 12 bits

// A UUIDv7 (RFC 9562, 5.7) with `shard` in rand_a. `random` is 8 bytes, of which 62 bits are used.
[[nodiscard]] InvocationId make_invocation_id(TimePoint now, Shard shard, std::uint64_t random);

// The shard in a UUIDv7, or from a hash (FNV-1a) of an id that is none.
[[nodiscard]] Shard shard_of(const InvocationId& id);

[[nodiscard]] std::string hex(std::uint64_t high, std::uint64_t low);  // 32 digits

// Errc::invalid_argument names the rule that `text` breaks.
[[nodiscard]] Result<InvocationId> parse_invocation_id(std::string_view text);
[[nodiscard]] Result<TenantName> parse_tenant_name(std::string_view text);
[[nodiscard]] Result<FunctionName> parse_function_name(std::string_view text);
[[nodiscard]] Result<Digest> parse_digest(std::string_view text);

}  // namespace longhaul

template <class Tag>
struct std::hash<longhaul::Id<Tag>> {
    std::size_t operator()(const longhaul::Id<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.text);
    }
};
