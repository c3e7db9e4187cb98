#include "tests/support/catch.hpp"

#include "longhaul/base/errc.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/base/result.hpp"
#include "longhaul/base/text.hpp"

#include <set>

using namespace longhaul;

TEST_CASE("UTF-8 is checked as RFC 3629 says") {
    CHECK(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"));
    const std::string bad = GENERATE(as<std::string>{}, "\x80", "\xc0\x80", "\xc1\xbf",
                                     "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                     "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3");
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("a cut text stays UTF-8 and within its limit") {
    CHECK(to_utf8("abc", 3) == "abc");
    CHECK(to_utf8("ab\xc3\xa9", 3) == "ab");
    CHECK(to_utf8("\xff\xff", 100) == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(to_utf8(std::string(1000, '\xff'), 100).size() == 99);
}

TEST_CASE("a JSON string is one line of valid UTF-8, whatever goes in") {
    std::string out;
    append_json_string(out, std::string("a\"\\\n\t\x01\x7f\xff", 8) + '\0');
    CHECK(out == "\"a\\\"\\\\\\n\\t\\u0001\\u007f\xef\xbf\xbd\\u0000\"");
}

TEST_CASE("every failure has its own name") {
    std::set<std::string_view> names;
    for (int code = 1; code <= 17; ++code) names.insert(to_string(static_cast<Errc>(code)));
    CHECK(names.size() == 17);
}

TEST_CASE("the value of a failed result throws its message") {
    const Result<int> result = make_error(Errc::conflict, "no");
    CHECK_THROWS_WITH(result.value(), "conflict: no");
}

TEST_CASE("a histogram counts into the bucket whose bound is not below the value") {
    Histogram histogram;
    histogram.observe(0.0001);
    histogram.observe(0.00011);
    histogram.observe(1e6);
    CHECK(histogram.counts[0] == 1);
    CHECK(histogram.counts[1] == 1);
    CHECK(histogram.counts[16] == 1);
}
