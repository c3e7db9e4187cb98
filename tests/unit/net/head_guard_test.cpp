#include "longhaul/net/impl/head_guard.hpp"

#include "longhaul/net/impl/head_parser.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <vector>

namespace longhaul::net::test {
namespace {

std::string head(const std::string& fields, const std::string& line = "POST /x HTTP/1.1") {
    return line + "\r\nHost: h\r\n" + fields + "\r\n";
}

int status_of(std::string_view block) {
    const auto check = check_request_head(block);
    return check.refusal ? check.refusal->status : 200;
}

}  // namespace

TEST_CASE("heads with one clear framing pass") {
    CHECK(check_request_head(head("")).facts.body == BodyKind::none);
    const auto length = check_request_head(head("Content-Length: 12\r\n"));
    CHECK(!length.refusal);
    CHECK(length.facts.body == BodyKind::length);
    CHECK(length.facts.length == 12);
    CHECK(check_request_head(head("content-length:0\r\n")).facts.body == BodyKind::none);
    CHECK(check_request_head(head("Transfer-Encoding: Chunked\r\n")).facts.body ==
          BodyKind::chunked);
    CHECK(check_request_head(head("Connection: TE, Close\r\n")).facts.keep_alive == false);
    CHECK(check_request_head(head("", "GET / HTTP/1.0")).facts.keep_alive == false);
    CHECK(
        check_request_head(head("Connection: keep-alive\r\n", "GET / HTTP/1.0")).facts.keep_alive);
    const auto expects = head("Content-Length: 1\r\nExpect: 100-Continue\r\n");
    CHECK(check_request_head(expects).facts.expects_continue);
}

TEST_CASE("heads on whose framing two parsers could disagree are refused") {
    const std::vector<std::string> fields{
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 18446744073709551615\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\r\n\tfolded\r\n",
        "Host: h\r\n",
        "Host: other\r\n",
        "No colon here\r\n",
        ": no name\r\n",
        "Na me: x\r\n",
        "N\xc3\xa4me: x\r\n",
        "Name(x): y\r\n",
        std::string("X: a\0b\r\n", 8),
        std::string("X\0: b\r\n", 7),
        "X: a\rb\r\n",
        "X: a\nContent-Length: 5\r\n",
        "X: a\n\r\n",
        "X: a\r\r\n",
        "X: a\x01\r\n",
        "X: a\x7f\r\n",
    };
    for (const auto& each : fields) {
        CAPTURE(each);
        CHECK(status_of(head(each)) == 400);
    }
    CHECK(status_of(head("Transfer-Encoding: chunked\r\n", "POST /x HTTP/1.0")) == 400);
    CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: a b\r\n\r\n") == 400);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: user@h\r\n\r\n") == 400);
    CHECK(status_of("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n") == 400);
}

TEST_CASE("an expectation other than 100-continue is refused with 417") {
    CHECK(status_of(head("Expect: 200-ok\r\n")) == 417);
    CHECK(status_of(head("Expect:\r\n")) == 417);
    CHECK(status_of(head("Expect: 100-continue\r\nExpect: 100-continue\r\n")) == 417);
}

TEST_CASE("request lines that are not plain are refused") {
    for (const std::string line :
         {"GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET /", "GET", "",
          "GET / http/1.1", "GET / HTTP/1.11", "GET /a b HTTP/1.1", "GET\t/\tHTTP/1.1",
          "G(T / HTTP/1.1", "GET x HTTP/1.1", "GET /#f HTTP/1.1", "GET /\xc3\xa4 HTTP/1.1",
          "GET http://other/ HTTP/1.1", "GET ftp://h/ HTTP/1.1", "CONNECT h:80 HTTP/1.1",
          "GET http:/// HTTP/1.1"}) {
        CAPTURE(line);
        CHECK(status_of(head("", line)) == 400);
    }
    CHECK(status_of(head("", "GET / HTTP/2.0")) == 505);
    CHECK(status_of(head("", "GET http://h/x HTTP/1.1")) == 200);
    CHECK(status_of(head("", "GET HTTP://H HTTP/1.1")) == 200);
    CHECK(status_of(head("", "OPTIONS * HTTP/1.1")) == 200);
}

TEST_CASE("too many header fields are refused by name") {
    std::string fields;
    for (int i = 0; i < 200; ++i) fields += "X: y\r\n";
    CHECK(status_of(head(fields)) == 431);
}

TEST_CASE("what can not become a head is noticed before its end") {
    CHECK(check_partial_head("\x16\x03\x01\x02", 0));
    CHECK(check_partial_head("GET / HTTP/1.1\n", 0));
    CHECK(check_partial_head(std::string_view("GET /\0", 6), 3));
    CHECK(!check_partial_head("GET / HTTP/1.1\r\nHost", 0));
    CHECK(find_head_end("GET / HTTP/1.1\r\n\r\nrest", 0) == 18);
    CHECK(find_head_end("GET / HTTP/1.1\r\n\r\nrest", 17) == 18);
    CHECK(find_head_end("GET / HTTP/1.1\r\n", 0) == 0);
}

TEST_CASE("response heads tell how the body ends") {
    const auto kind = [](const std::string& text, bool answers_head = false) {
        const auto check = check_response_head(text, answers_head);
        return check.refusal ? -1 : static_cast<int>(check.facts.body);
    };
    const auto as = [](BodyKind body) { return static_cast<int>(body); };
    CHECK(kind("HTTP/1.1 200 OK\r\n\r\n") == as(BodyKind::until_close));
    CHECK(kind("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n") == as(BodyKind::length));
    CHECK(kind("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true) == as(BodyKind::none));
    CHECK(kind("HTTP/1.1 204 No\r\n\r\n") == as(BodyKind::none));
    CHECK(kind("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == as(BodyKind::chunked));
    CHECK(kind("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n") == -1);
    CHECK(kind("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n") == -1);
    CHECK(kind("HTTP/1.1 2x0 OK\r\n\r\n") == -1);
    CHECK(kind("HTTP/1.1 2000 OK\r\n\r\n") == -1);
    CHECK(kind("ICY 200 OK\r\n\r\n") == -1);
    CHECK(kind("\r\n\r\n") == -1);
}

TEST_CASE("the parser reads a guarded head into values") {
    ParsedHead parsed;
    REQUIRE(parse_request_head(head("X-Y:  a b \r\nEmpty:\r\n", "PATCH /a?b=c HTTP/1.1"), parsed) ==
            "");
    CHECK(parsed.method == "PATCH");
    CHECK(parsed.target == "/a?b=c");
    const port::Headers wanted{{"Host", "h"}, {"X-Y", "a b"}, {"Empty", ""}};
    CHECK(parsed.headers == wanted);
}

}  // namespace longhaul::net::test
