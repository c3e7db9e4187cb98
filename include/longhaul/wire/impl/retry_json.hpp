// The member `retry` of a function document (PROTOCOL.md, 5).
#pragma once

#include "longhaul/lifecycle/retry_spec.hpp"
#include "longhaul/wire/json.hpp"

namespace longhaul::wire {

[[nodiscard]] Json retry_json(const RetrySpec& retry);

// Members that are missing keep their values. Errc::invalid_argument names the member and its
// bound; unknown ones are refused where `strict`.
[[nodiscard]] Result<void> read_retry(const Json& retry, bool strict, RetrySpec& out);

}  // namespace longhaul::wire
