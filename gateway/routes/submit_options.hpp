// The headers of a submit, as options: Invocation-* and the like, and those that are kept for the
// function (PROTOCOL.md, 2).
#pragma once

#include "gateway/routes/api.hpp"

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
                                                         const ApiOptions& limits);

// "" = none is given.
[[nodiscard]] Result<std::string> idempotency_key_of(const net::Request& request);

}  // namespace longhaul::gateway
