#include "tests/support/catch.hpp"

#include "longhaul/base/time.hpp"

using namespace longhaul;
using namespace std::chrono_literals;

TEST_CASE("durations are read in every documented form") {
    const auto [text, expected] = GENERATE(table<std::string, std::int64_t>({
        {"90", 90'000'000},
        {"0", 0},
        {"90s", 90'000'000},
        {"1.5s", 1'500'000},
        {"1.5", 1'500'000},
        {"250ms", 250'000},
        {"7us", 7},
        {"15m", 900'000'000},
        {"3h", 10'800'000'000},
        {"7d", 604'800'000'000},
        {"1h30m", 5'400'000'000},
        {"1d1h1m1s1ms1us", 90'061'001'001},
        {"0.0000019s", 1},
        {"PT3H", 10'800'000'000},
        {"PT1H30M", 5'400'000'000},
        {"PT0.25S", 250'000},
        {"P1DT1S", 86'401'000'000},
        {"P2W", 1'209'600'000'000},
        {"36500d", 3'153'600'000'000'000},
    }));
    INFO(text);
    const auto parsed = parse_duration(text);
    REQUIRE(parsed);
    CHECK(parsed->count() == expected);
}

TEST_CASE("what is no duration is refused with its text") {
    const std::string text =
        GENERATE(as<std::string>{}, "", " ", "-1s", "+1s", "1x", "s", "1s1s", "1m1h", "1 s", "1h30",
                 ".5s", "1.s", "1..5s", "36501d", "99999999999999999999", "9223372036854775807h",
                 "P", "PT", "P1H", "PT1D", "PT1H1H", "P1Y", "P1", "PT1HT1M", "PT-1S", "0x10", "1e3",
                 "١s", std::string(65, '1'), "nan", "1,5s");
    INFO(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find("is no duration") != std::string::npos);
}

TEST_CASE("a written duration reads back as it was") {
    const std::int64_t count =
        GENERATE(as<std::int64_t>{}, 0, 1, 999, 1000, 1'500'000, 90'000'000, 900'000'000,
                 86'400'000'000, 5'400'000'000, 123'456'789'012, 3'153'600'000'000'000);
    CHECK(parse_duration(format_duration(Duration{count})).value() == Duration{count});
}

TEST_CASE("durations are written in their largest exact unit") {
    CHECK(format_duration(15min) == "15m");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(250ms) == "250ms");
    CHECK(format_duration(24h) == "1d");
    CHECK(format_duration(0s) == "0s");
    CHECK(format_duration(Duration{-1'000'000}) == "-1s");
}

TEST_CASE("RFC 3339 times are read with any offset and fraction") {
    const auto noon = parse_rfc3339("2026-11-23T12:00:00Z").value();
    CHECK(parse_rfc3339("2026-11-23T13:30:00+01:30").value() == noon);
    CHECK(parse_rfc3339("2026-11-22T23:00:00-13:00").value() == noon);
    CHECK(parse_rfc3339("2026-11-23t12:00:00.5z").value() == noon + 500ms);
    CHECK(parse_rfc3339("2026-11-23T12:00:00.1234567891Z").value() == noon + 123'456us);
    CHECK(parse_rfc3339("2016-12-31T23:59:60Z").value() ==
          parse_rfc3339("2017-01-01T00:00:00Z").value());
    CHECK(parse_rfc3339("2024-02-29T00:00:00Z"));
    CHECK(parse_rfc3339("0000-01-01T00:00:00Z"));
    CHECK(to_unix_ms(parse_rfc3339("1970-01-01T00:00:01Z").value()) == 1000);
}

TEST_CASE("what is no RFC 3339 time is refused") {
    const std::string text =
        GENERATE(as<std::string>{}, "", "2026-11-23", "2026-11-23 12:00:00Z", "2026-11-23T12:00:00",
                 "2026-11-23T12:00Z", "2026-13-23T12:00:00Z", "2025-02-29T12:00:00Z",
                 "2026-11-23T24:00:00Z", "2026-11-23T12:60:00Z", "2026-11-23T12:00:61Z",
                 "2026-11-23T12:00:00.Z", "2026-11-23T12:00:00+1:00", "2026-11-23T12:00:00+24:00",
                 "2026-11-23T12:00:00Zx", "+026-11-23T12:00:00Z",
                 "2026-11-23T12:00:00.123456789012345678901234567890123456789012345Z");
    INFO(text);
    CHECK_FALSE(parse_rfc3339(text));
}

TEST_CASE("times are written in UTC with milliseconds") {
    CHECK(format_rfc3339(TimePoint{}) == "1970-01-01T00:00:00.000Z");
    CHECK(format_rfc3339(TimePoint{1'795'435'200'123'999us}) == "2026-11-23T12:00:00.123Z");
    CHECK(format_rfc3339(TimePoint{-1us}) == "1969-12-31T23:59:59.999Z");
    CHECK(format_rfc3339(TimePoint::max()) == "9999-12-31T23:59:59.999Z");
    CHECK(format_rfc3339(TimePoint::min()) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("milliseconds are rounded down, before the epoch too") {
    CHECK(to_unix_ms(TimePoint{1999us}) == 1);
    CHECK(to_unix_ms(TimePoint{-1us}) == -1);
    CHECK(from_unix_ms(5).time_since_epoch() == 5ms);
    CHECK(to_ms(1999us) == 1);
}
