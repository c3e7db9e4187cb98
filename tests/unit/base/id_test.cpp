#include "tests/support/catch.hpp"

#include "longhaul/base/id.hpp"

#include <set>

using namespace longhaul;

TEST_CASE("an invocation id is a UUIDv7 that holds time, shard and randomness") {
    const TimePoint now{std::chrono::milliseconds{0x0123456789ab}};
    const InvocationId id = make_invocation_id(now, 0xabc, 0xffff'ffff'ffff'ffffu);
    CHECK(id.text == "01234567-89ab-7abc-bfff-ffffffffffff");
    CHECK(make_invocation_id(now, 0x1abc, 0).text == "01234567-89ab-7abc-8000-000000000000");
    CHECK(shard_of(id) == 0xabc);
    CHECK(parse_invocation_id(id.text).value() == id);
}

TEST_CASE("later ids sort after earlier ones") {
    const auto earlier = make_invocation_id(from_unix_ms(1000), 4095, ~0ull);
    const auto later = make_invocation_id(from_unix_ms(1001), 0, 0);
    CHECK(earlier < later);
}

TEST_CASE("the shard of a caller's own id is a stable hash below 4096") {
    CHECK(shard_of(InvocationId{"order-17"}) == shard_of(InvocationId{"order-17"}));
    std::set<Shard> seen;
    for (int i = 0; i < 2000; ++i) {
        const Shard shard = shard_of(InvocationId{"order-" + std::to_string(i)});
        REQUIRE(shard < 4096);
        seen.insert(shard);
    }
    CHECK(seen.size() > 1400);  // about 1580 are expected of an even spread
    // A version 4 UUID has no shard in it.
    CHECK(shard_of(InvocationId{"01234567-89ab-4abc-bfff-ffffffffffff"}) != 0xabc);
}

TEST_CASE("names and ids outside of their alphabet are refused with the rule") {
    const std::string name = GENERATE(as<std::string>{}, "", "A", "-a", "_a", "a.b", "a/b", "..",
                                      "a b", std::string(64, 'a'), std::string("a\0b", 3), "ä");
    INFO(name);
    CHECK_FALSE(parse_function_name(name));
    const auto tenant = parse_tenant_name(name);
    REQUIRE_FALSE(tenant);
    CHECK(tenant.error().message.find("1 to 63 characters") != std::string::npos);
    const std::string id =
        GENERATE(as<std::string>{}, "", ".a", "-a", "a/b", "a b", std::string(65, 'a'), "a\n");
    CHECK_FALSE(parse_invocation_id(id));
}

TEST_CASE("names and ids at their limits are taken") {
    CHECK(parse_function_name(std::string(63, 'a')));
    CHECK(parse_function_name("0_a-b"));
    CHECK(parse_invocation_id(std::string(64, 'Z')));
    CHECK(parse_invocation_id("a..b"));
    const std::string digits(64, 'f');
    CHECK(parse_digest("sha256:" + digits).value().text == "sha256:" + digits);
    CHECK_FALSE(parse_digest("sha256:" + std::string(64, 'F')));
    CHECK_FALSE(parse_digest("sha256:" + std::string(63, 'f')));
    CHECK_FALSE(parse_digest("sha512:" + digits));
}

TEST_CASE("hex writes 32 digits") {
    CHECK(hex(1, 0xdeadbeef) == "000000000000000100000000deadbeef");
}
