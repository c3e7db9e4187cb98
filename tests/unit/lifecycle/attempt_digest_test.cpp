#include "longhaul/lifecycle/attempt_digest.hpp"

#include "tests/support/catch.hpp"

#include <tuple>

namespace longhaul {
namespace {

const InvocationId kOne{"one"};
const InvocationId kTwo{"two"};

TEST_CASE("the digest of attempts does not depend on their order, but on every part of them") {
    AttemptDigest first;
    first.add(kOne, 1, 3);
    first.add(kTwo, 2, 5);
    AttemptDigest second;
    second.add(kTwo, 2, 5);
    second.add(kOne, 1, 3);
    CHECK(first == second);
    for (const auto& [id, attempt, rank] :
         {std::tuple{kOne, 1U, 4}, std::tuple{kOne, 2U, 3}, std::tuple{kTwo, 1U, 3}}) {
        AttemptDigest other;
        other.add(kTwo, 2, 5);
        other.add(id, attempt, static_cast<std::uint8_t>(rank));
        CHECK(first != other);
    }
}

TEST_CASE("the same attempt twice is not none, and what was not reported counts as dispatched") {
    AttemptDigest twice;
    twice.add(kOne, 1, 3);
    twice.add(kOne, 1, 3);
    CHECK(twice.sum != 0);
    AttemptDigest unreported;
    unreported.add(kOne, 1, 0);
    AttemptDigest dispatched;
    dispatched.add(kOne, 1, 1);
    CHECK(unreported == dispatched);
}

// Hosts and gateways of different versions must agree.
TEST_CASE("the digest is golden") {
    AttemptDigest digest;
    digest.add(kOne, 1, 3);
    CHECK(digest.sum == 0x1812483b51a9d816ULL);
}

}  // namespace
}  // namespace longhaul
