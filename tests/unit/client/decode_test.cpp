#include "longhaul/client/decode.hpp"

#include "tests/support/catch.hpp"

using namespace longhaul;
using namespace longhaul::client;

namespace {

wire::Json json(std::string_view text) {
    auto parsed = wire::parse_json(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("a document becomes a status and stays whole") {
    auto status = decode_status(json(
        R"({"id":"a1","function":"f","state":"queued","revision":4,"status_version":7,"phase":null,
            "wait_reason":"function_limit","position":3,"created_at":"2026-11-23T12:00:00.000Z",
            "progress":{"percent":40,"message":"page 4"},"health":"ok","of_tomorrow":true})"));
    REQUIRE(status);
    CHECK(status->id.text == "a1");
    CHECK(status->state == State::queued);
    CHECK(status->revision == 4);
    CHECK(status->status_version == 7);
    CHECK(status->phase.empty());
    CHECK(status->wait_reason == "function_limit");
    CHECK(status->position == 3);
    CHECK(status->created_at.has_value());
    CHECK_FALSE(status->started_at.has_value());
    CHECK(status->progress->percent == 40);
    CHECK_FALSE(status->ended());
    CHECK(status->document["of_tomorrow"].as_bool());
}

TEST_CASE("a document without an id or with an unknown state is refused") {
    CHECK_FALSE(decode_status(json(R"({"state":"queued"})")));
    auto status = decode_status(json(R"({"id":"a","state":"asleep"})"));
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find("asleep") != std::string::npos);
}

TEST_CASE("a page has its rows and where to go on") {
    auto page =
        decode_page(json(R"({"invocations":[{"id":"a","state":"failed"}],"next_cursor":"x="})"));
    REQUIRE(page);
    CHECK(page->invocations.size() == 1);
    CHECK(page->next_cursor == "x=");
    auto last = decode_page(json(R"({"invocations":[],"next_cursor":null})"));
    REQUIRE(last);
    CHECK(last->next_cursor.empty());
}

TEST_CASE("a server may be named in several ways") {
    CHECK(parse_server("http://127.0.0.1:7070/").value() == "127.0.0.1:7070");
    CHECK(parse_server("example:1").value() == "example:1");
    CHECK(parse_server("example").value() == "example:7070");
    CHECK(parse_server("unix:/run/x.sock").value() == "unix:/run/x.sock");
    CHECK(parse_server("https://x").error().code == Errc::unsupported);
    CHECK_FALSE(parse_server(""));
    CHECK_FALSE(parse_server("http://a/b"));
}

TEST_CASE("a list's filters become a query in which nothing can escape") {
    ListFilter filter;
    filter.function = "f";
    filter.states = {"running", "queued"};
    filter.labels = {{"team", "a&b=c"}};
    filter.oldest_first = true;
    filter.limit = 5;
    CHECK(list_query(filter) ==
          "?limit=5&function=f&state=running&state=queued&label=team%3Da%26b%3Dc&order=asc");
}
