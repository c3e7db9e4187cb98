#include "cli/suggest.hpp"

#include "tests/support/catch.hpp"

using longhaul::cli::nearest;

TEST_CASE("a mistyped command is near to the one that was meant") {
    const std::vector<std::string> known{"deploy", "submit", "get", "list", "logs", "hosts"};
    CHECK(nearest("sumbit", known) == "submit");
    CHECK(nearest("host", known) == "hosts");
    CHECK(nearest("dploy", known) == "deploy");
    CHECK(nearest("lst", known) == "list");
    CHECK(nearest("sub", known) == "submit");
}

TEST_CASE("a word that is near to nothing gets no suggestion") {
    const std::vector<std::string> known{"deploy", "submit", "get", "list", "logs"};
    CHECK(nearest("frobnicate", known).empty());
    CHECK(nearest("", known).empty());
    CHECK(nearest("l", known).empty());
}
