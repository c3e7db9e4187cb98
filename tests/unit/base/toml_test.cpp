#include "tests/support/catch.hpp"

#include "longhaul/base/config.hpp"

using namespace longhaul;

TEST_CASE("a TOML error names file, line and reason") {
    const auto parsed = parse_toml("a = 1\nb = \n", "longhaul.toml");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find("longhaul.toml:2: ") == 0);
}

TEST_CASE("tables become dotted names with their place and kind") {
    const auto document =
        parse_toml("[a.b]\nc = \"x\"\nd = [1, 2]\n[e]\nf.g = 1.5\nh = true\n", "f.toml");
    REQUIRE(document);
    const auto& values = document->values;
    REQUIRE(values.size() == 4);
    CHECK(values.at("a.b.c").items == std::vector<std::string>{"x"});
    CHECK(values.at("a.b.c").origin == "f.toml:2");
    CHECK(values.at("a.b.d").is_list);
    CHECK(values.at("a.b.d").items == std::vector<std::string>{"1", "2"});
    CHECK(values.at("e.f.g").items == std::vector<std::string>{"1.5"});
    CHECK(values.at("e.f.g").kind == ConfigDocument::Kind::number);
    CHECK(values.at("e.h").kind == ConfigDocument::Kind::boolean);
}

TEST_CASE("what no setting can be is refused with its line") {
    const std::string text = GENERATE(as<std::string>{}, "\na = 2026-11-23\n", "\na = [[1]]\n",
                                      "\na = [{b = 1}]\n", "\n[[a]]\nb = 1\n", "\na = [1, \"x\"]\n",
                                      "\na = 1\na = 2\n", "\na = \"\xff\"\n", "\n[a]\n[a]\n");
    INFO(text);
    const auto parsed = parse_toml(text, "f.toml");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find("f.toml:") == 0);
}

TEST_CASE("hostile TOML is refused") {
    CHECK_FALSE(parse_toml("a = " + std::string(100'000, '['), "f.toml"));
    CHECK_FALSE(parse_toml(std::string((1u << 20) + 1, ' '), "f.toml"));
    std::string nested = "a";
    for (int i = 0; i < 40; ++i) nested += ".a";
    CHECK_FALSE(parse_toml(nested + " = 1\n", "f.toml"));
}

TEST_CASE("a file that is not there is named") {
    const auto read = read_toml_file("/nonexistent/longhaul.toml");
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::not_found);
    CHECK(read.error().message.find("/nonexistent/longhaul.toml") == 0);
}
