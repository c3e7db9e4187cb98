// Hostile and unlucky bytes, on real sockets.
#include "tests/unit/net/net_fixture.hpp"

namespace longhaul::net::test {
namespace {

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

std::vector<Route> routes() {
    std::vector<Route> out;
    out.push_back(echo_route());
    out.push_back(hello_route());
    return out;
}

std::string post(const std::string& fields, const std::string& body) {
    return "POST /echo HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

// The first message is refused with a problem document, and nothing after it is looked at.
Task<void> is_refused(ServerFixture& fixture, std::string raw, int status) {
    CAPTURE(raw);
    raw += kHello;
    const auto answer = co_await fixture.exchange(raw);
    CAPTURE(answer);
    CHECK(answer.starts_with("HTTP/1.1 " + std::to_string(status) + " "));
    CHECK(has(answer, "Content-Type: application/problem+json\r\n"));
    CHECK(has(answer, "Connection: close\r\n"));
    CHECK(has(answer, "\"status\":" + std::to_string(status)));
    CHECK(count(answer, "Server: longhaul\r\n") == 1);
    CHECK(!has(answer, "hello"));
}

Task<void> smuggling(ServerFixture& fixture) {
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    std::vector<std::string> messages{
        post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        post("Content-Length: 5\r\n" + chunked, "0\r\n\r\n"),
        post(chunked + "Content-Length: 5\r\n", "0\r\n\r\n"),
        post(chunked + chunked, "0\r\n\r\n"),
        post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        post("X: y\r\n " + chunked, "0\r\n\r\n"),
        post("Content-Length: +5\r\n", "hello"),
        post("Content-Length: 5,5\r\n", "hello"),
        post("Host: other\r\n", ""),
        post(std::string("X: a\0b\r\n", 8), ""),
        post("X: a\rb\r\n", ""),
        post("X: a\n", ""),
        post("X(: a\r\n", ""),
        "POST /echo HTTP/1.0\r\nHost: h\r\n" + chunked + "\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET http://other/hello HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hel%2Flo HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hel%00lo HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hel%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hello?a=%q HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hello HTTP/1.1\nHost: h\n\n",
        "\x16\x03\x01 no http",
        "nonsense\r\n\r\n",
    };
    for (auto& message : messages) co_await is_refused(fixture, message, 400);
    co_await is_refused(fixture, post("Expect: 101-ok\r\nContent-Length: 5\r\n", "hello"), 417);
    co_await is_refused(fixture, "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505);
}

Task<void> chunk_tricks(ServerFixture& fixture) {
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    for (const std::string body :
         {"5;a=b\r\nhello\r\n0\r\n\r\n", "5;\n\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
          "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "zz\r\n",
          "fffffffffffffffff\r\n"}) {
        co_await is_refused(fixture, post(chunked, body), 400);
    }
}

Task<void> oversize(ServerFixture& fixture) {
    co_await is_refused(
        fixture, "GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(20000, 'x') + "\r\n\r\n",
        431);
    co_await is_refused(fixture, "GET /" + std::string(100000, 'x'), 431);
    std::string fields;
    for (int i = 0; i < 500; ++i) fields += "X: y\r\n";
    co_await is_refused(fixture, post(fields, ""), 431);
}

Task<void> half_bodies(ServerFixture& fixture) {
    const std::vector<std::string> halves{
        post("Content-Length: 10\r\n", "hello"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n3\r\nab")};
    for (const auto& raw : halves) {
        RawClient client(fixture.executor());
        co_await client.connect(fixture.server.address());
        co_await client.send(raw);
        client.half_close();
        const auto answer = co_await client.read_to_end();
        CHECK(answer.starts_with("HTTP/1.1 400 "));
        CHECK(has(answer, "incomplete-body"));
    }
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send("GET /hello HTTP/1.1\r\nHo");
    client.half_close();
    const auto answer = co_await client.read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 400 "));
}

Task<void> pipelined(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send("\r\n" + post("Content-Length: 3\r\n", "one") + kHello +
                         post("Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n") + kHello);
    for (const std::string wanted : {"one", "hello", "two", "hello"}) {
        const auto answer = co_await client.read_answer();
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(answer.ends_with("\r\n\r\n" + wanted));
    }
}

Task<void> byte_by_byte(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    for (const char c : post("Transfer-Encoding: chunked\r\n", "3\r\ntwo\r\n0\r\n\r\n")) {
        co_await client.send(std::string(1, c));
        co_await fixture.settle();
    }
    const auto answer = co_await client.read_answer();
    CHECK(answer.ends_with("\r\n\r\ntwo"));
}

Task<void> old_clients(ServerFixture& fixture) {
    const auto closed = co_await fixture.exchange("GET /hello HTTP/1.0\r\n\r\n");
    CHECK(closed.starts_with("HTTP/1.1 200 "));
    CHECK(has(closed, "Connection: close\r\n"));
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    for (int i = 0; i < 2; ++i) {
        co_await client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const auto answer = co_await client.read_answer();
        CHECK(has(answer, "Connection: keep-alive\r\n"));
    }
}

}  // namespace

TEST_CASE("a request with two readings is refused, and what follows it is not looked at") {
    ServerFixture fixture(routes());
    fixture.run(smuggling(fixture));
}

TEST_CASE("chunk extensions, trailers and malformed chunks are refused") {
    ServerFixture fixture(routes());
    fixture.run(chunk_tricks(fixture));
}

TEST_CASE("a header above the limit is refused by name") {
    ServerFixture fixture(routes());
    fixture.run(oversize(fixture));
}

TEST_CASE("a request that stops half way is answered with what is missing") {
    ServerFixture fixture(routes());
    fixture.run(half_bodies(fixture));
}

TEST_CASE("pipelined requests are answered in order") {
    ServerFixture fixture(routes());
    fixture.run(pipelined(fixture));
}

TEST_CASE("a request may come byte by byte") {
    ServerFixture fixture(routes());
    fixture.run(byte_by_byte(fixture));
}

TEST_CASE("HTTP/1.0 clients are served") {
    ServerFixture fixture(routes());
    fixture.run(old_clients(fixture));
}

}  // namespace longhaul::net::test
