// What a function's server may say with Retry-After.
#include "runtime_agent_ext/driver/retry_after.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

using std::chrono::seconds;

const TimePoint kNow = *parse_rfc3339("2026-11-06T08:49:30.250Z");

}  // namespace

TEST_CASE("a server may ask for a wait in seconds, or until an HTTP date") {
    CHECK(retry_after("0", kNow) == seconds(0));
    CHECK(retry_after("120", kNow) == seconds(120));
    CHECK(retry_after("Fri, 06 Nov 2026 08:49:37 GMT", kNow) == std::chrono::milliseconds(6750));
}

TEST_CASE("a date that has passed is no wait, and none is without bounds") {
    CHECK(retry_after("Fri, 06 Nov 2026 08:00:00 GMT", kNow) == seconds(0));
    CHECK(retry_after("Wed, 06 Nov 2099 08:00:00 GMT", kNow) == kRetryAfterMax);
    CHECK(retry_after("4000000000", kNow) == kRetryAfterMax);
    CHECK(retry_after("99999999999999999999", kNow) == kRetryAfterMax);
}

TEST_CASE("what is neither seconds nor a date asks for nothing") {
    for (const char* text : {"", "soon", "-1", "1.5", "12 s", "06 Nov 2026 08:49:37",
                             "Fri, 06 Nov 2026 08:49:37 GMT or so"})
        CHECK_FALSE(retry_after(text, kNow));
}

}  // namespace longhaul::runtime_agent_ext
