// function.toml: the function document as a person writes it (PROTOCOL.md, section 5). Pure.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/wire/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace longhaul::cli {

struct Manifest {
    FunctionName name;
    wire::Json document;  // what the file says, as PUT /v1/functions/{fn} takes it
};

// `file_name` appears in messages; `name` overrides the file's own. All problems are told together,
// a line each with file and line number: unknown fields, wrong types, values out of bounds, fields
// that a later version brings.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text, std::string_view file_name,
                                              const std::optional<std::string>& name);

}  // namespace longhaul::cli
