// An invocation that waits and was never dispatched, in about a hundred bytes beside its event: a
// million of them are to fit, and most of what an invocation can have they do not have yet.
//
// What many have in common (tenant, function, content type, the usual times) is kept once, in a
// Kind; digests are kept as bits; what is not set takes one bit. Nothing is left out: what is
// unpacked equals what was packed.
//
// Pure. Not thread-safe. Invariant: a Kind exists while something packed has it.
#pragma once

#include "gateway/core/compact_id.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <tuple>

namespace longhaul::gateway {

// One of them; without a packer it says nothing.
class PackedInvocation {
public:
    PackedInvocation() = default;

private:
    friend class InvocationPacker;
    std::unique_ptr<char[]> bytes_{};
};

class InvocationPacker {
public:
    InvocationPacker() = default;
    InvocationPacker(const InvocationPacker&) = delete;  // what is packed points into it
    InvocationPacker& operator=(const InvocationPacker&) = delete;

    // Scheduled or queued, and nothing has been tried yet.
    [[nodiscard]] static bool can_pack(const Invocation& invocation);
    // All of it but the id. REQUIRES can_pack().
    [[nodiscard]] PackedInvocation pack(const Invocation& invocation);
    [[nodiscard]] Invocation read(const CompactId& id, const PackedInvocation& packed) const;
    // The last that is asked of it.
    [[nodiscard]] Invocation unpack(const CompactId& id, PackedInvocation packed);

    // Without unpacking it:
    [[nodiscard]] static State state(const PackedInvocation& packed);
    [[nodiscard]] static TimePoint in_line_since(const PackedInvocation& packed);

    [[nodiscard]] std::size_t kind_count() const { return kinds_.size(); }

private:
    using KindName = std::tuple<const FunctionSpec*, TenantName, std::string>;
    struct Kind {
        TenantName tenant{};
        std::shared_ptr<const FunctionSpec> function{};  // shared: immutable
        std::string content_type{};
        Duration queue_ttl{};  // the function's
        Duration deadline{};   // of the first of its kind, from its acceptance on
        std::uint64_t count = 0;
    };
    struct Head;
    class Writer;
    class Reader;

    [[nodiscard]] Kind& kind_of(const Invocation& invocation);
    [[nodiscard]] static Head head_of(const PackedInvocation& packed);
    template <class Codec, class Value>
    static void code(Codec& codec, Value& invocation, const Kind& kind);

    std::map<KindName, Kind> kinds_;
    Kind* last_ = nullptr;  // that was asked for
    std::string scratch_;
};

}  // namespace longhaul::gateway
