#include "cli/terminal.hpp"

#include "cli/command.hpp"
#include "cli/describe.hpp"
#include "tests/support/catch.hpp"

using namespace longhaul;
using namespace longhaul::cli;

TEST_CASE("lengths of time are short and keep their size in view") {
    CHECK(short_duration(std::chrono::milliseconds(850)) == "850ms");
    CHECK(short_duration(std::chrono::milliseconds(12'340)) == "12.3s");
    CHECK(short_duration(std::chrono::seconds(245)) == "4m05s");
    CHECK(short_duration(std::chrono::minutes(130)) == "2h10m");
}

TEST_CASE("columns of a table line up, also with letters of several bytes") {
    CHECK(format_table({{"A", "B"}, {"äö", "x"}, {"long", ""}}) == "A     B\näö    x\nlong  \n");
}

TEST_CASE("progress names state, reason and place") {
    client::InvocationStatus status;
    status.state = State::queued;
    status.wait_reason = "function_limit";
    status.position = 3;
    CHECK(describe_progress(status) == "queued · function_limit · position 3");
}

TEST_CASE("an end and an error have exit codes that scripts can rely on") {
    CHECK(exit_code_of(State::succeeded) == 0);
    CHECK(exit_code_of(State::failed) == 1);
    CHECK(exit_code_of(State::killed) == 6);
    CHECK(exit_code_of(make_error(Errc::invalid_argument, "")) == 2);
    CHECK(exit_code_of(make_error(Errc::unreachable, "")) == 3);
    CHECK(exit_code_of(make_error(Errc::not_found, "")) == 4);
    CHECK(exit_code_of(make_error(Errc::overloaded, "")) == 5);
    CHECK(exit_code_of(make_error(Errc::unsupported, "")) == 7);
}

TEST_CASE("a label is a key and a value") {
    CHECK(parse_label("a=b=c").value() == std::pair<std::string, std::string>("a", "b=c"));
    CHECK_FALSE(parse_label("nothing"));
}
