// Records for tests: one fixed sample of each kind, and any number by seed.
#pragma once

#include "longhaul/lifecycle/record.hpp"
#include "tests/support/seeded_random.hpp"

#include <string>
#include <vector>

namespace longhaul::test {

inline constexpr TimePoint kSampleTime{std::chrono::seconds{1'800'000'000}};

// Small, every member set, the same for ever: golden bytes are made of them.
[[nodiscard]] std::vector<Record> sample_records();

// Any values at all, in any combination.
[[nodiscard]] FunctionSpec random_function(SeededRandom& random);
[[nodiscard]] Invocation random_invocation(SeededRandom& random);
[[nodiscard]] Record random_record(SeededRandom& random);

// Whether all recorded members agree; what is relearned is left out.
[[nodiscard]] bool same(const Invocation& left, const Invocation& right);
[[nodiscard]] bool same(const Record& left, const Record& right);

[[nodiscard]] std::string to_hex_text(const std::string& bytes);
[[nodiscard]] std::string from_hex_text(std::string_view text);

}  // namespace longhaul::test
