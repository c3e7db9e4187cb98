#include "tests/unit/net/net_fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include <stdexcept>

namespace longhaul::net::test {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string get(const std::string& path, const std::string& fields = {},
                const std::string& method = "GET") {
    return method + " " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

const std::string kClose = "Connection: close\r\n";

std::vector<Route> basic_routes() {
    std::vector<Route> out;
    out.push_back(echo_route());
    out.push_back(hello_route());
    return out;
}

Task<void> keeps_alive(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    for (int i = 0; i < 3; ++i) {
        co_await client.send(get("/hello"));
        const auto answer = co_await client.read_answer();
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nServer: longhaul\r\nDate: "));
        CHECK(has(answer, "Content-Length: 5\r\n"));
        CHECK(!has(answer, "Connection:"));
        CHECK(answer.ends_with("hello"));
    }
    co_await client.send(get("/hello", kClose));
    const auto last = co_await client.read_to_end();
    CHECK(has(last, "Connection: close\r\n"));
}

Task<void> unknown_paths(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/nothing"));
    const auto missing = co_await client.read_answer();
    CHECK(missing.starts_with("HTTP/1.1 404 "));
    CHECK(has(missing, "application/problem+json"));
    co_await client.send(get("/hello", "", "DELETE"));
    const auto wrong = co_await client.read_answer();
    CHECK(wrong.starts_with("HTTP/1.1 405 "));
    CHECK(has(wrong, "Allow: GET, HEAD\r\n"));
    CHECK(has(wrong, "\"status\":405"));
    co_await client.send(get("/hello", kClose, "HEAD"));
    const auto head = co_await client.read_to_end();
    CHECK(has(head, "Content-Length: 5\r\n"));
    CHECK(head.ends_with("\r\n\r\n"));
}

Task<void> continues(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/echo", "Content-Length: 4\r\nExpect: 100-continue\r\n", "POST"));
    const auto interim = co_await client.read_until("\r\n\r\n");
    CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
    co_await client.send("body");
    const auto answer = co_await client.read_answer();
    CHECK(answer.ends_with("\r\n\r\nbody"));
    // Refused before the body is asked for.
    co_await client.send(get("/nothing", "Content-Length: 4\r\nExpect: 100-continue\r\n", "POST"));
    const auto refused = co_await client.read_to_end();
    CHECK(refused.starts_with("HTTP/1.1 404 "));
    CHECK(has(refused, "Connection: close"));
}

Task<void> too_large(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    // The body is never sent: the answer comes from Content-Length alone.
    co_await client.send(get("/echo", "Content-Length: 65537\r\n", "POST"));
    const auto announced = co_await client.read_answer();
    CHECK(announced.starts_with("HTTP/1.1 413 "));
    CHECK(has(announced, "payload-too-large"));
    CHECK(has(announced, "limit of 65536 bytes"));
    RawClient second(fixture.executor());
    co_await second.connect(fixture.server.address());
    co_await second.send(get("/echo", "Transfer-Encoding: chunked\r\n", "POST") + "20000\r\n" +
                         std::string(0x20000, 'x'));
    const auto chunked = co_await second.read_answer();
    CHECK(chunked.starts_with("HTTP/1.1 413 "));
    CHECK(has(chunked, "limit of 65536 bytes"));
}

Task<void> floods(ServerFixture& fixture) {
    // 3 MiB that nobody reads: the answer arrives all the same.
    const auto answer = co_await fixture.exchange(
        get("/echo", "Content-Length: 3145728\r\n", "POST") + std::string(3 << 20, 'x'));
    CHECK(answer.starts_with("HTTP/1.1 413 "));
}

Task<Response> ignore_body() { co_return text_response(200, "ignored"); }

Task<void> unread_body(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/ignore", "Content-Length: 5\r\n", "POST") + "12345" + get("/hello"));
    const auto first = co_await client.read_answer();
    CHECK(first.ends_with("ignored"));
    const auto second = co_await client.read_answer();
    CHECK(second.ends_with("hello"));
}

Task<Response> streamed(Request& request) {
    Response response;
    std::vector<std::string> pieces{"one", "two", std::string(100000, 'x')};
    response.stream = std::make_unique<StringSource>(pieces);
    if (request.query_value("length")) response.stream_bytes = 100006;
    if (request.query_value("short")) response.stream_bytes = 200000;
    co_return response;
}

Task<void> streams(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/stream"));
    const auto chunked = co_await client.read_answer();
    CHECK(has(chunked, "Transfer-Encoding: chunked\r\n"));
    CHECK(has(chunked, "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n186a0\r\nxxx"));
    CHECK(chunked.ends_with("xxx\r\n0\r\n\r\n"));
    co_await client.send(get("/stream?length"));
    const auto plain = co_await client.read_answer();
    CHECK(has(plain, "Content-Length: 100006\r\n"));
    CHECK(has(plain, "\r\n\r\nonetwoxxx"));
    CHECK(plain.size() > 100006);
    co_await client.send(get("/stream", "", "HEAD"));
    const auto head = co_await client.read_until("\r\n\r\n");
    CHECK(head.starts_with("HTTP/1.1 200 "));
    co_await client.send(get("/stream?short"));
    const auto cut = co_await client.read_to_end();
    CHECK(cut.size() < 200000);
    const auto old = co_await fixture.exchange("GET /stream HTTP/1.0\r\n\r\n");
    CHECK(!has(old, "chunked"));
    CHECK(old.ends_with("xxx"));
}

Task<Response> throws() {
    co_await boost::asio::this_coro::executor;
    throw std::runtime_error("a secret detail");
}

Task<void> failing(ServerFixture& fixture) {
    const auto answer = co_await fixture.exchange(get("/throws", kClose));
    CHECK(answer.starts_with("HTTP/1.1 500 "));
    CHECK(!has(answer, "secret detail"));
}

Task<void> authorized(ServerFixture& fixture) {
    for (const std::string fields :
         {"", "Authorization: Bearer wrong\r\n", "Authorization: Bearer s3cret1\r\n",
          "Authorization: Basic s3cret\r\n", "Authorization: Bearer\r\n"}) {
        const auto refused = co_await fixture.exchange(get("/hello", fields + kClose));
        CHECK(refused.starts_with("HTTP/1.1 401 "));
        CHECK(has(refused, "WWW-Authenticate: Bearer\r\n"));
    }
    const auto fields = "Authorization: bearer s3cret\r\n" + kClose;
    const auto answer = co_await fixture.exchange(get("/hello", fields));
    CHECK(answer.starts_with("HTTP/1.1 200 "));
}

Task<void> crowd(ServerFixture& fixture) {
    RawClient first(fixture.executor());
    co_await first.connect(fixture.server.address());
    co_await first.send(get("/hello"));
    const auto served = co_await first.read_answer();
    CHECK(served.ends_with("hello"));
    const auto turned_away = co_await fixture.exchange("");
    CHECK(turned_away.starts_with("HTTP/1.1 503 "));
    CHECK(has(turned_away, "limit of 1 connections"));
}

Task<void> on_unix(ServerFixture& fixture, std::string path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    const auto answer = co_await fixture.exchange(get("/hello", kClose));
    CHECK(answer.ends_with("hello"));
    ServerOptions options;
    options.address = "unix:" + path;
    Server second(fixture.executor(), fixture.clock, Logger{}, options, basic_routes());
    const auto started = second.start();
    REQUIRE(!started);
    CHECK(started.error().code == Errc::unavailable);
    CHECK(has(started.error().message, path));
}

Task<Response> both(Request& request) {
    std::string text = request.method + " " + request.path + " " + request.param("id");
    for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
    text += " " + std::string(request.header("x-y").value_or("none")) + " " +
            std::to_string(request.headers_named("X-Y").size());
    auto response = text_response(200, text);
    response.with("X-Evil", "a\r\nSet-Cookie: b").with("Bad Name", "x").with("Content-Length", "1");
    co_return response;
}

Task<void> decodes(ServerFixture& fixture) {
    const auto answer = co_await fixture.exchange(
        get("/v1/a%20b:c?x=1%26&y&z=%3D=", "X-Y: 1\r\nx-y: 2\r\n" + kClose));
    CHECK(has(answer, "\r\n\r\nGET /v1/a b:c a b:c x=1& y= z=== 1 2"));
    CHECK(has(answer, "X-Evil: a  Set-Cookie: b\r\n"));
    CHECK(!has(answer, "Bad Name"));
    CHECK(!has(answer, "Content-Length: 1\r\n"));
    const auto absolute =
        co_await fixture.exchange("GET http://h/v1/q HTTP/1.1\r\nHost: h\r\n" + kClose + "\r\n");
    CHECK(has(absolute, "GET /v1/q q"));
}

Task<Response> full() {
    auto response =
        problem_response(make_error(Errc::overloaded, "the queue is full", "queue-full"));
    response.with("Retry-After", "17");
    co_return response;
}

Task<void> later(ServerFixture& fixture) {
    const auto answer = co_await fixture.exchange(get("/full", kClose));
    CHECK(answer.starts_with("HTTP/1.1 429 "));
    CHECK(has(answer, "Retry-After: 17\r\n"));
    CHECK(!has(answer, "Retry-After: 1\r\n"));
}

}  // namespace

TEST_CASE("a handler's own Retry-After wins") {
    std::vector<Route> routes;
    routes.push_back(route("GET", "/full", [](Request&) { return full(); }));
    ServerFixture fixture(std::move(routes));
    fixture.run(later(fixture));
}

TEST_CASE("a connection serves request after request") {
    ServerFixture fixture(basic_routes());
    fixture.run(keeps_alive(fixture));
}

TEST_CASE("unknown paths and wrong methods are problems, and HEAD is GET without a body") {
    ServerFixture fixture(basic_routes());
    fixture.run(unknown_paths(fixture));
}

TEST_CASE("100 is sent when the body is first read, and not before a refusal") {
    ServerFixture fixture(basic_routes());
    fixture.run(continues(fixture));
}

TEST_CASE("a body above its limit is refused before it is read, and while it is chunked") {
    ServerFixture fixture(basic_routes());
    fixture.run(too_large(fixture));
}

TEST_CASE("a refused body that is sent all the same does not swallow the answer") {
    ServerFixture fixture(basic_routes());
    fixture.run(floods(fixture));
}

TEST_CASE("a short body that no handler reads is skipped") {
    auto routes = basic_routes();
    routes.push_back(route("POST", "/ignore", [](Request&) { return ignore_body(); }));
    ServerFixture fixture(std::move(routes));
    fixture.run(unread_body(fixture));
}

TEST_CASE("a body can be streamed, chunked or with its length, and is cut when it fails") {
    std::vector<Route> routes;
    routes.push_back(route("GET", "/stream", [](Request& request) { return streamed(request); }));
    ServerFixture fixture(std::move(routes));
    fixture.run(streams(fixture));
}

TEST_CASE("a handler that throws is a 500 that tells nothing") {
    std::vector<Route> routes;
    routes.push_back(route("GET", "/throws", [](Request&) { return throws(); }));
    ServerFixture fixture(std::move(routes));
    fixture.run(failing(fixture));
}

TEST_CASE("a listener with a secret serves nobody without it") {
    ServerOptions options;
    options.secret = "s3cret";
    ServerFixture fixture(basic_routes(), options);
    fixture.run(authorized(fixture));
}

TEST_CASE("a connection above the limit is told so") {
    ServerOptions options;
    options.limits.connections_max = 1;
    ServerFixture fixture(basic_routes(), options);
    fixture.run(crowd(fixture));
}

TEST_CASE("a unix socket is private, and takes the place of no living one") {
    const auto path =
        (std::filesystem::temp_directory_path() / ("lh-net-" + std::to_string(::getpid())))
            .string();
    ServerOptions options;
    options.address = "unix:" + path;
    ServerFixture fixture(basic_routes(), options);
    fixture.run(on_unix(fixture, path));
    CHECK(!std::filesystem::exists(path));
}

TEST_CASE("a handler sees the target decoded, and no header of its own can split the answer") {
    std::vector<Route> routes;
    routes.push_back(route("GET", "/v1/{id}", [](Request& request) { return both(request); }));
    ServerFixture fixture(std::move(routes));
    fixture.run(decodes(fixture));
}

TEST_CASE("a server says which address it can not have") {
    Loop loop;
    for (const std::string address : {"127.0.0.1:99999", "nowhere", "unix:", "unix:/no/such/dir/x",
                                      "192.0.2.1:1", "host.example:80"}) {
        ServerOptions options;
        options.address = address;
        Server server(loop.executor(), loop.clock, Logger{}, options, {});
        const auto started = server.start();
        REQUIRE(!started);
        CHECK(started.error().code == Errc::unavailable);
    }
}

}  // namespace longhaul::net::test
