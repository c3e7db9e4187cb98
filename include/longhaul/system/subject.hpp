// Subjects and patterns as NATS has them: tokens apart by '.', `*` for one token, `>` for the rest
// (one or more). Pure.
#pragma once

#include <string_view>

namespace longhaul::system {

// No empty token, no white space; a subject to publish to has no wildcard.
[[nodiscard]] bool is_subject(std::string_view subject);
// As above, and `*` only as a whole token, `>` only as the last.
[[nodiscard]] bool is_pattern(std::string_view pattern);

// REQUIRES: is_pattern(pattern), is_subject(subject).
[[nodiscard]] bool subject_matches(std::string_view pattern, std::string_view subject);

}  // namespace longhaul::system
