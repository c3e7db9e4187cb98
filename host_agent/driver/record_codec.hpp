// Records of the host's journal as bytes: a version byte, a type byte, then the fields in order.
//
// Unsigned numbers are LEB128, text is its length and its bytes. Types and field order are stored:
// do not change; a new layout takes a new version.
#pragma once

#include "host_agent/core/record.hpp"
#include "longhaul/base/result.hpp"

#include <string>
#include <string_view>

namespace longhaul::host_agent {

[[nodiscard]] std::string encode_record(const Record& record);

// Errc::corrupt says what does not fit.
[[nodiscard]] Result<Record> decode_record(std::string_view bytes);

}  // namespace longhaul::host_agent
