// The function document (PROTOCOL.md, "The function document"): FunctionSpec <-> JSON.
//
// The public API reads it strictly. Between components, and in the journal, the same document
// travels as to_json() wrote it, unknown members are ignored, and it comes back exactly as it was.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/lifecycle/function_spec.hpp"
#include "longhaul/wire/json.hpp"

#include <cstdint>
#include <string>

namespace longhaul::wire {

inline constexpr Duration kExecutionTimeoutMax = std::chrono::hours(3);

enum class Strictness : std::uint8_t {
    // A caller's document: defaults, bounds, mode and its members must agree, unknown members are
    // refused, and what a later version brings is Errc::unsupported, "not-available", by name.
    // A missing name stays empty (the route has it); `version` is ignored, so that a document that
    // was read can be written back. Variables are sorted by name.
    public_api,
    // One that was accepted before: types and sizes are checked, and nothing more.
    internal,
};

[[nodiscard]] Json to_json(const FunctionSpec& function);

// Errc::invalid_argument names the member and its bound.
[[nodiscard]] Result<FunctionSpec> parse_function(
    const Json& document, Strictness strictness,
    Duration execution_timeout_max = kExecutionTimeoutMax);

// Equal for equal functions, whatever the order of their variables, and without the version, which
// is "sha256:" + hex(sha256(canonical(function))).
[[nodiscard]] std::string canonical(const FunctionSpec& function);

// function.toml as the JSON document of the same members: dotted names become objects.
[[nodiscard]] Json json_from(const ConfigDocument& document);

}  // namespace longhaul::wire
