// What a caller may want of a host that is to become empty, and what it is told. Values.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::gateway {

struct DrainWish {
    bool drain = true;
    std::optional<Duration> by{};  // from now; nothing: as long as it takes
    std::string reason{};
};

// The host's word, with what the gateway knows of its runs.
struct HostDrain {
    struct Blocking {
        InvocationId id;
        AttemptNumber attempt = 0;
        std::string function{};
        std::string state{};  // of the invocation; where it is not known here, of the run
        std::string since{};  // RFC 3339; "" = not known
        std::optional<TimePoint> until{};  // when it has ended at the latest
    };
    HostId host;
    bool draining = false;
    bool drained = false;
    std::optional<TimePoint> drain_by{};
    std::string reason{};
    std::int64_t instances = 0;
    std::vector<Blocking> blocking{};
};

}  // namespace longhaul::gateway
