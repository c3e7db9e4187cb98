#include "gateway/core/compact_id.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace longhaul::gateway {
namespace {

const std::vector<std::string> kTexts{
    "01890a5d-ac96-774b-bcce-b302099a8057",  // a UUIDv7
    "01890a5d-ac96-774b-bcce-b302099a8058",
    "01890a5d-ac97-774b-bcce-b302099a8057",
    "ffffffff-ffff-7fff-ffff-ffffffffffff",
    "00000000-0000-7000-8000-000000000000",
    "01890A5D-AC96-774B-BCCE-B302099A8057",  // not as we write them
    "01890a5d-ac96-474b-bcce-b302099a8057",  // another version
    "01890a5dxac96-774b-bcce-b302099a8057",
    "01890a5d-ac96-774b-bcce-b302099a805",
    "01890a5d-ac96-774b-bcce-b302099a805g",
    "order-17",
    "a",
};

}  // namespace

TEST_CASE("a compact id gives back the id that it was made of") {
    for (const std::string& text : kTexts)
        CHECK(CompactId(InvocationId{text}).whole().text == text);
}

TEST_CASE("compact ids are equal, and ordered, exactly as their ids are") {
    for (const std::string& left : kTexts) {
        for (const std::string& right : kTexts) {
            INFO(left << " and " << right);
            const CompactId one(InvocationId{left});
            const CompactId other(InvocationId{right});
            CHECK((one == other) == (left == right));
            CHECK((one < other) == (left < right));
            if (left == right) CHECK(one.hash() == other.hash());
        }
    }
}

TEST_CASE("ids that were made one after the other fall into different buckets") {
    std::vector<std::size_t> hashes;
    for (std::uint64_t number = 0; number < 1'000; ++number)
        hashes.push_back(
            CompactId(make_invocation_id(TimePoint{std::chrono::milliseconds(number)}, 0, number))
                .hash() %
            1024);
    std::ranges::sort(hashes);
    const auto repeated = std::ranges::unique(hashes);
    CHECK(std::ranges::distance(hashes.begin(), repeated.begin()) > 500);
}

}  // namespace longhaul::gateway
