// What the core can tell of an invocation beside its records, and of who holds the slots: for
// people who ask why something does not go on. Values.
#pragma once

#include "gateway/core/event.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace longhaul::gateway {

struct Inspection {
    std::uint64_t ticket = 0;  // its place in line is by it; 0 = it never waited
    std::uint8_t rank = 0;     // of the last report that was taken in
    std::uint64_t version = 0;
    bool take_is_answered = false;
    TimePoint take_answered_at{};  // where it is, and in this life of the gateway
    bool awaits_result = false;    // its end is known; the result is being copied
    std::optional<TimePoint> due_at{};
    std::vector<std::pair<HostId, TimePoint>> avoided{};  // hosts that refused it, until when
    bool is_unheard = false;  // started under a lease, and its host has not said so yet
};

// One attempt that holds a slot.
struct SlotHolder {
    InvocationId id;
    AttemptNumber attempt = 0;
    TenantName tenant;
    FunctionName function;
    HostId host;
    State state = State::dispatching;
    TimePoint since{};  // dispatched at
};

// Ended against everybody's will, with no try left: somebody should look at it.
[[nodiscard]] constexpr bool is_dead_letter(State state) {
    return state == State::failed || state == State::timed_out || state == State::expired;
}

using SlotPlace = std::pair<HostId, AttemptName>;

}  // namespace longhaul::gateway
