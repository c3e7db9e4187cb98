// The Invocation-* headers of a submit, as options.
#pragma once

#include "gateway/driver/handle.hpp"
#include "longhaul/net/message.hpp"

#include <optional>
#include <string>

namespace longhaul::gateway {

struct SubmitHeaders {
    SubmitOptions options{};
    std::string options_text{};      // what the fingerprint covers
    std::optional<Duration> wait{};  // Prefer: wait=N
    bool respond_async = false;      // Prefer: respond-async
};

// Errc::invalid_argument of type invalid-header names header and rule; Errc::unsupported of type
// not-available names a header that a later version brings.
[[nodiscard]] Result<SubmitHeaders> parse_submit_headers(const net::Request& request, TimePoint now,
                                                         Duration timeout_max, Duration wait_max);

}  // namespace longhaul::gateway
