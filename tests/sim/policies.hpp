// What the load of a history wants beyond one run at once: retries, times to begin at, changes of
// mind. All of it follows from a submit's number or from the history's seed.
#pragma once

#include "gateway/core/event.hpp"
#include "tests/support/seeded_random.hpp"

#include <string_view>

namespace longhaul::sim {

// Functions that are tried again for every reason: one after a loss too, one not.
inline constexpr const char* kAgain = "again";
inline constexpr const char* kAgainUnlessLost = "again-unless-lost";

// Which of them a submit is for, or nullptr.
[[nodiscard]] const char* tried_again(std::uint64_t number);
[[nodiscard]] RetrySpec retry_of(std::string_view function);
[[nodiscard]] SubmitOptions with_policies(SubmitOptions options, std::uint64_t number,
                                          TimePoint now);

// How often the run with this event may begin; `body` is that of Clients::submit, cut or not.
[[nodiscard]] std::uint32_t starts_max(const std::string& body);

// Whose invocation it is, Clients::patch() knows.
[[nodiscard]] gateway::PatchRequest change_of_mind(test::SeededRandom& random,
                                                   const InvocationId& id, TimePoint now);

}  // namespace longhaul::sim
