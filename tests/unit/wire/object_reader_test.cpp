#include "tests/support/catch.hpp"

#include "longhaul/wire/json.hpp"

using namespace longhaul;
using namespace longhaul::wire;
using namespace std::chrono_literals;

namespace {

struct Everything {
    std::string text = "t";
    std::uint32_t count = 5;
    double real = 0.5;
    bool flag = false;
    Duration wait = 1s;
    std::uint64_t size = 10;
    std::vector<std::string> list;
    std::vector<std::pair<std::string, std::string>> map;
};

Result<Everything> read(std::string_view text, bool strict = true) {
    const Json json = parse_json(text).value();
    ObjectReader reader(json, "in");
    Everything out;
    reader.text("text", out.text);
    reader.number("count", out.count, 0, 10);
    reader.real("real", out.real);
    reader.boolean("flag", out.flag);
    reader.duration("wait", out.wait, 0s, 1h);
    reader.bytes("size", out.size, 1, 1u << 20);
    reader.texts("list", out.list);
    reader.text_map("map", out.map);
    const auto done = strict ? reader.finish_strict() : reader.finish();
    if (!done) return done.error();
    return out;
}

}  // namespace

TEST_CASE("members are read by their type") {
    const auto out = read(
        R"({"text":"x","count":7,"real":2,"flag":true,"wait":"15m","size":"64KiB","list":["a"],)"
        R"("map":{"k":"v"}})");
    REQUIRE(out);
    CHECK(out->text == "x");
    CHECK(out->count == 7);
    CHECK(out->real == 2.0);
    CHECK(out->flag);
    CHECK(out->wait == 15min);
    CHECK(out->size == 65536);
    CHECK(out->list == std::vector<std::string>{"a"});
    CHECK(out->map.front().second == "v");
    CHECK(read(R"({"wait":90,"size":7})")->wait == 90s);
}

TEST_CASE("missing and null members leave the default") {
    const auto out = read(R"({"text":null})");
    REQUIRE(out);
    CHECK(out->text == "t");
    CHECK(out->count == 5);
}

TEST_CASE("the first wrong member is named with its bound") {
    const auto [text, message] = GENERATE(table<std::string, std::string>({
        {R"({"text":1})", "in.text must be a string"},
        {R"({"count":11})", "in.count must be between 0 and 10, is 11"},
        {R"({"count":1.0})", "in.count must be a whole number"},
        {R"({"count":"1"})", "in.count must be a whole number"},
        {R"({"real":"1"})", "in.real must be a number"},
        {R"({"flag":1})", "in.flag must be true or false"},
        {R"({"wait":"2h"})", "in.wait must be between 0s and 1h, is 2h"},
        {R"({"wait":1.5})", "in.wait must be a duration such as \"15m\", or whole seconds"},
        {R"({"wait":"soon"})",
         "in.wait must be a duration: 'soon' is no duration: a number is missing, as in 90s or "
         "1h30m"},
        {R"({"wait":-1})",
         "in.wait must be a duration: '-1' is no duration: a number is missing, as in 90s or "
         "1h30m"},
        {R"({"size":"2MiB"})", "in.size must be between 1 and 1MiB, is 2MiB"},
        {R"({"size":true})", "in.size must be a size such as \"6MiB\", or whole bytes"},
        {R"({"list":"a"})", "in.list must be an array of strings"},
        {R"({"list":[1]})", "in.list must be an array of strings"},
        {R"({"map":[]})", "in.map must be an object whose members are strings"},
        {R"({"map":{"k":1}})", "in.map must be an object whose members are strings; 'k' is none"},
        {R"({"texd":"a"})", "unknown member 'in.texd'"},
        {"[]", "in must be an object"},
    }));
    CHECK(read(text).error().message == message);
}

TEST_CASE("between components unknown members are ignored") { CHECK(read(R"({"new":1})", false)); }

TEST_CASE("a required member may not be missing") {
    const Json json = parse_json(R"({"a":null})").value();
    ObjectReader reader(json);
    reader.require("a");
    CHECK(reader.finish().error().message == "a is missing");
}
