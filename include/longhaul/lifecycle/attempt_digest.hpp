// A fingerprint of what a host keeps of attempts, so that host and gateway can find out by two
// numbers whether they mean the same: the look behind the stream, which may lose what it wants.
//
// Pure. Independent of order; an attempt counts with the rank that was last told of it. What the
// host has not yet reported counts as dispatched on both sides.
#pragma once

#include "longhaul/base/id.hpp"

#include <cstdint>

namespace longhaul {

struct AttemptDigest {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;  // of a hash of each (invocation, attempt, rank), modulo 2^64

    void add(const InvocationId& id, AttemptNumber attempt, std::uint8_t rank);
    friend bool operator==(const AttemptDigest&, const AttemptDigest&) = default;
};

}  // namespace longhaul
