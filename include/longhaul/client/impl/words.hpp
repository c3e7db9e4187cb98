// What a caller is told where no longhaul answers: which address was tried, who named it, and what
// to do about it. Pure.
#pragma once

#include "longhaul/client/types.hpp"

#include <string>
#include <string_view>

namespace longhaul::client {

// Problem type of what is no longhaul, or a listener of longhaul that is not the public one.
inline constexpr std::string_view kNotLonghaul = "not-longhaul";

// The error of a call that brought no answer, in words for a person; others come back as they are.
[[nodiscard]] Error explain(const ClientOptions& options, Error error);

// Something answers there, but not as PROTOCOL.md has it: `how`, "status 404, text/html".
[[nodiscard]] Error not_longhaul(const ClientOptions& options, std::string_view how);

// An answer with an error status: the problem document's error, unless no longhaul wrote it.
[[nodiscard]] Error refusal(const ClientOptions& options, int status, std::string_view content_type,
                            std::string_view body);

}  // namespace longhaul::client
