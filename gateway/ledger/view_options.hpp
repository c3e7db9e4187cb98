// How long the view remembers, whatever store is under it.
#pragma once

#include "longhaul/base/time.hpp"

#include <cstdint>

namespace longhaul::gateway {

struct ViewOptions {
    Duration key_kept_after_accept = std::chrono::hours(24);
    Duration key_kept_after_end = std::chrono::hours(1);
    // A purged invocation answers Errc::gone for this long, then Errc::not_found.
    Duration gone_kept = std::chrono::hours(7 * 24);
    std::uint32_t function_versions_kept = 64;  // the newest of each function
};

}  // namespace longhaul::gateway
