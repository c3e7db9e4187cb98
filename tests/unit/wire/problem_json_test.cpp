#include "tests/support/catch.hpp"

#include "longhaul/wire/problem_json.hpp"

using namespace longhaul;
using namespace longhaul::wire;

TEST_CASE("each failure has the status that the protocol names") {
    const auto [code, status, type] = GENERATE(table<Errc, int, std::string>({
        {Errc::invalid_argument, 400, "invalid-argument"},
        {Errc::not_found, 404, "not-found"},
        {Errc::conflict, 409, "conflict"},
        {Errc::stale, 409, "stale"},
        {Errc::gone, 410, "gone"},
        {Errc::too_large, 413, "payload-too-large"},
        {Errc::mismatch, 422, "idempotency-mismatch"},
        {Errc::precondition, 412, "precondition-failed"},
        {Errc::overloaded, 429, "overloaded"},
        {Errc::internal, 500, "internal"},
        {Errc::io_failed, 500, "io-failed"},
        {Errc::unsupported, 501, "not-available"},
        {Errc::unreachable, 502, "unreachable"},
        {Errc::unavailable, 503, "unavailable"},
        {Errc::timed_out, 504, "timed-out"},
    }));
    const Error error = make_error(code, "what happened");
    CHECK(http_status(code) == status);
    const Json document = problem(error);
    CHECK(*document["type"].as_string() == "https://longhaul.dev/problems/" + type);
    CHECK(*document["status"].as_integer() == status);
    CHECK(error_from_problem(status, document.dump()) == error);
}

TEST_CASE("a type of its own goes out and comes back") {
    const Error error = make_error(Errc::overloaded, "the queue holds 100000", "queue-full");
    CHECK(problem(error).dump() ==
          R"({"type":"https://longhaul.dev/problems/queue-full","title":"Queue full","status":429,)"
          R"("detail":"the queue holds 100000"})");
    CHECK(error_from_problem(429, problem(error).dump()) == error);
}

TEST_CASE("an answer that is no problem document still has a code") {
    CHECK(error_from_problem(404, "<html>").code == Errc::not_found);
    CHECK(error_from_problem(503, "").code == Errc::unavailable);
    CHECK(error_from_problem(401, "{}").code == Errc::refused);
    CHECK(error_from_problem(500, "[]").code == Errc::internal);
    // Not `unreachable`: a stranger's 502 proves nothing.
    CHECK(error_from_problem(502, "x").code == Errc::internal);
    CHECK(error_from_problem(418, std::string(1000, '[')).message == "answered with status 418");
}
