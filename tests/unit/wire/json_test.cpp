#include "tests/support/catch.hpp"

#include "longhaul/wire/json.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace longhaul;
using namespace longhaul::wire;

TEST_CASE("what is parsed is written as it was") {
    const std::string text = GENERATE(
        as<std::string>{}, "null", "true", "0", "-1", "9223372036854775807", "-9223372036854775808",
        "0.5", "\"\"", "\"a\\n\xc3\xa9\"", "[]", "{}", "[1,[2,{}]]", R"({"b":1,"a":[null,false]})");
    CHECK(parse_json(text).value().dump() == text);
}

TEST_CASE("integers and other numbers are told apart") {
    CHECK(*parse_json("12").value().as_integer() == 12);
    CHECK(parse_json("12.0").value().as_integer() == nullptr);
    CHECK(parse_json("12.0").value().number() == 12.0);
    CHECK(parse_json("1e2").value().number() == 100.0);
    CHECK(parse_json("-0.25E-2").value().number() == -0.0025);
    CHECK(parse_json("9223372036854775808").value().number() == 9223372036854775808.0);
    CHECK(parse_json("18446744073709551616").value().number() == 18446744073709551616.0);
    CHECK(Json{std::numeric_limits<std::uint64_t>::max()}.as_integer() == nullptr);
    CHECK(*Json{std::uint64_t{7}}.as_integer() == 7);
}

TEST_CASE("doubles come back exactly") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t bits = random();
        double value = 0;
        std::memcpy(&value, &bits, sizeof value);
        if (!std::isfinite(value)) continue;
        const auto parsed = parse_json(Json{value}.dump());
        INFO(Json{value}.dump());
        REQUIRE(parsed);
        CHECK(*parsed == Json{value});
    }
    CHECK(Json{3.0}.dump() == "3.0");
    CHECK(Json{std::numeric_limits<double>::quiet_NaN()}.dump() == "null");
}

TEST_CASE("malformed JSON is refused with its place") {
    const std::string text =
        GENERATE(as<std::string>{}, "", " ", "nul", "tru", "[", "]", "{", "}", "[1,]", "[1 2]",
                 "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "'a'", "\"a", "\"\n\"",
                 "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "01", "+1", "1.", ".5", "1e",
                 "--1", "NaN", "Infinity", "1 1", "{}{}", "/**/1", "[1]//", "\xef\xbb\xbf{}");
    INFO(text);
    const auto parsed = parse_json(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find("malformed JSON at byte ") == 0);
}

TEST_CASE("deep nesting neither passes nor exhausts anything") {
    const auto wide_open = parse_json(std::string(2'000'000, '['));
    REQUIRE_FALSE(wide_open);
    CHECK(wide_open.error().message == "malformed JSON at byte 32: nested deeper than 32 levels");
    std::string objects;
    for (int i = 0; i < 400'000; ++i) objects += "{\"a\":";
    CHECK_FALSE(parse_json(objects));
    CHECK(parse_json(std::string(32, '[') + std::string(32, ']')));
    CHECK_FALSE(parse_json(std::string(33, '[') + std::string(33, ']')));
}

TEST_CASE("a broken encoding is refused in values, names and at the end") {
    const std::string bytes =
        GENERATE(as<std::string>{}, "\xe2\x82", "\xe2", "\xff", "\xc0\x80", "\xed\xa0\x80",
                 "\xf5\x80\x80\x80", "\x80", "\xf4\x90\x80\x80");
    CHECK_FALSE(parse_json("\"" + bytes + "\""));
    CHECK_FALSE(parse_json("\"" + bytes));
    CHECK_FALSE(parse_json("{\"" + bytes + "\":1}"));
    CHECK_FALSE(parse_json(bytes));
    CHECK_FALSE(parse_json("{\"\\udc00\":1}"));
}

TEST_CASE("a NUL byte ends nothing early") {
    const auto after = parse_json(std::string("{}\0[", 4));
    REQUIRE_FALSE(after);
    CHECK(after.error().message == "malformed JSON at byte 2: a NUL byte");
    CHECK_FALSE(parse_json(std::string("\"a\0b\"", 5)));
    CHECK_FALSE(parse_json(std::string(1, '\0')));
    CHECK(*parse_json("\"a\\u0000b\"").value().as_string() == std::string("a\0b", 3));
}

TEST_CASE("the input is read to its length and no further") {
    const std::string text = "12345";
    CHECK(*parse_json(std::string_view(text).substr(0, 3)).value().as_integer() == 123);
    const std::string open = "[1,2]";
    CHECK_FALSE(parse_json(std::string_view(open).substr(0, 4)));
}

TEST_CASE("a member that is there twice is refused, in small and large objects") {
    CHECK(parse_json(R"({"a":1,"b":2,"a":3})").error().message.find("'a' is there twice") !=
          std::string::npos);
    CHECK_FALSE(parse_json(R"({"":1,"":2})"));
    CHECK_FALSE(parse_json(R"({"a":1,"\u0061":2})"));
    CHECK(parse_json(R"({"a":{"a":1},"b":{"a":2}})"));
    std::string large = "{";
    for (int i = 0; i < 100'000; ++i) large += "\"" + std::to_string(i) + "\":0,";
    CHECK(parse_json(large + "\"x\":0}"));
    CHECK_FALSE(parse_json(large + "\"77777\":0}"));
}

TEST_CASE("numbers that no double holds are refused, not computed with") {
    const std::string text =
        GENERATE(as<std::string>{}, "1e309", "-1e309", "1.8e308", "1e99999999999999999999",
                 "1e-99999999999999999999", "0.00000000001e-2147483639",
                 "0.00000000000000000001e-214748363", std::string(400, '9'));
    INFO(text);
    CHECK_FALSE(parse_json(text));
    CHECK_FALSE(parse_json("[" + text + "]"));
}

TEST_CASE("a number with very many digits is read or refused, and quickly") {
    CHECK(parse_json("0." + std::string(1'000'000, '1')).value().number() > 0.111);
    CHECK(parse_json("1." + std::string(1'000'000, '0')).value().number() == 1.0);
    CHECK_FALSE(parse_json(std::string(1'000'000, '1')));
    CHECK_FALSE(parse_json("-" + std::string(1'000'000, '1')));
}

TEST_CASE("size and count have limits") {
    const auto large = parse_json("\"" + std::string(100, 'a') + "\"", {32, 100, 10});
    REQUIRE_FALSE(large);
    CHECK(large.error().code == Errc::too_large);
    CHECK(parse_json("[1,2,3]", {32, 100, 4}));
    CHECK(parse_json("[1,2,3]", {32, 100, 3}).error().message.find("more than 3 values") !=
          std::string::npos);
}

TEST_CASE("random bytes never do harm") {
    std::mt19937 random(11);
    const std::string_view alphabet = "{}[]\",:0123456789.eE+-truefalsn\\u \xc3\xa9\xff";
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        const std::size_t length = random() % 40;
        for (std::size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
        const auto parsed = parse_json(text);
        if (parsed) {
            REQUIRE(parse_json(parsed->dump()).value() == *parsed);
        }
    }
}

TEST_CASE("a written string is valid whatever bytes were in it") {
    Json json;
    json.set("a\xff", std::string("\x00\x01\"\\\xe2\x82", 6));
    CHECK(parse_json(json.dump()));
}

TEST_CASE("members are set, replaced and found") {
    Json json;
    json.set("a", 1).set("b", Json::array()).set("a", "x");
    CHECK(json.dump() == R"({"a":"x","b":[]})");
    CHECK(json.find("c") == nullptr);
    CHECK(json["c"].is_null());
    CHECK(json["c"]["d"].is_null());
    Json list;
    list.push(1);
    list.push(nullptr);
    CHECK(list.dump() == "[1,null]");
    json.set("b", std::move(list));
    CHECK(json.dump_pretty() == "{\n  \"a\": \"x\",\n  \"b\": [\n    1,\n    null\n  ]\n}");
    CHECK(Json::object().dump_pretty() == "{}");
}
