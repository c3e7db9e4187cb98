// Records as journal bytes: {version u8, kind u8, fields…}, little-endian, lengths as varints.
//
// Version 1. An unknown version or kind is refused by name: it was written by a newer longhaul, and
// skipping it would lose what it says. Decoding never trusts a length.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/lifecycle/record.hpp"

#include <string>
#include <string_view>

namespace longhaul::gateway {

[[nodiscard]] std::string encode_record(const Record& record);

// Errc::corrupt where bytes do not fit, Errc::unsupported for a newer version or kind.
[[nodiscard]] Result<Record> decode_record(std::string_view bytes);

// A whole invocation, as the view's row. What is relearned (progress, health) is left out.
[[nodiscard]] std::string encode_invocation(const Invocation& invocation);
[[nodiscard]] Result<Invocation> decode_invocation(std::string_view bytes);

}  // namespace longhaul::gateway
