#include "longhaul/system/subject.hpp"
#include "tests/support/catch.hpp"

namespace longhaul::system {

TEST_CASE("a pattern without wildcards matches only itself") {
    CHECK(subject_matches("a.b.c", "a.b.c"));
    CHECK_FALSE(subject_matches("a.b.c", "a.b"));
    CHECK_FALSE(subject_matches("a.b", "a.b.c"));
    CHECK_FALSE(subject_matches("a.b.c", "a.b.d"));
}

TEST_CASE("a star matches exactly one token") {
    CHECK(subject_matches("a.*.c", "a.b.c"));
    CHECK(subject_matches("*", "a"));
    CHECK_FALSE(subject_matches("*", "a.b"));
    CHECK_FALSE(subject_matches("a.*", "a"));
    CHECK_FALSE(subject_matches("a.*.c", "a.b.b.c"));
}

TEST_CASE("a greater-than sign matches one or more tokens at the end") {
    CHECK(subject_matches(">", "a"));
    CHECK(subject_matches(">", "a.b.c"));
    CHECK(subject_matches("a.>", "a.b.c"));
    CHECK_FALSE(subject_matches("a.>", "a"));
    CHECK(subject_matches("*.b.>", "a.b.c"));
}

TEST_CASE("subjects and patterns with empty tokens, spaces or misplaced wildcards are refused") {
    CHECK(is_subject("longhaul.v1.status.0"));
    for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a\n"}) {
        CHECK_FALSE(is_subject(bad));
    }
    for (const char* good : {"a", "*", ">", "a.*.b", "a.>"}) {
        CHECK(is_pattern(good));
    }
    for (const char* bad : {"", ">.a", "a.>.b", "a*", "a.b>", "a..>"}) {
        CHECK_FALSE(is_pattern(bad));
    }
}

}  // namespace longhaul::system
