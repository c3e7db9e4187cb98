#include "longhaul/net/client.hpp"

#include "longhaul/net/impl/address.hpp"
#include "longhaul/net/task_group.hpp"
#include "tests/unit/net/net_fixture.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <unistd.h>
#include <filesystem>

namespace longhaul::net::test {
namespace {

using boost::asio::ip::tcp;
constexpr Duration kLimit = std::chrono::seconds(10);

port::PeerRequest request_to(std::string method, std::string target, std::string body = {}) {
    port::PeerRequest out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.body = std::move(body);
    return out;
}

// "200 body" or "error-code: message".
Task<std::string> ask(HttpPeer& peer, std::string address, port::PeerRequest request,
                      Duration limit = kLimit) {
    auto response = co_await peer.call(address, std::move(request), limit);
    if (!response)
        co_return std::string(to_string(response.error().code)) + ": " + response.error().message;
    auto body = co_await port::read_all(*response->body, 1 << 22);
    if (!body) co_return "body " + std::string(to_string(body.error().code));
    co_return std::to_string(response->status) + " " + *body;
}

// Answers each connection with one fixed text for each time that bytes come, then closes.
class FixedServer {
public:
    FixedServer(boost::asio::any_io_executor executor, std::vector<std::string> answers)
        : acceptor_(executor, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          answers_(std::move(answers)),
          tasks_(executor, Logger{}) {
        tasks_.start("fixed", serve());
    }

    [[nodiscard]] std::string address() const {
        return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    [[nodiscard]] int connections() const { return connections_; }
    Task<void> stop() {
        tasks_.cancel();
        co_await tasks_.join();
    }

private:
    Task<void> serve() {
        while (true) {
            auto socket = co_await acceptor_.async_accept(boost::asio::use_awaitable);
            ++connections_;
            tasks_.start("one", serve_one(std::move(socket)));
        }
    }
    Task<void> serve_one(tcp::socket socket) {
        for (const auto& answer : answers_) {
            std::string bytes(65536, '\0');
            boost::system::error_code error;
            const auto room = boost::asio::buffer(bytes);
            co_await socket.async_read_some(
                room, boost::asio::redirect_error(boost::asio::use_awaitable, error));
            if (error) co_return;
            const auto buffer = boost::asio::buffer(answer);
            co_await boost::asio::async_write(
                socket, buffer, boost::asio::redirect_error(boost::asio::use_awaitable, error));
        }
    }

    tcp::acceptor acceptor_;
    std::vector<std::string> answers_;
    TaskGroup tasks_;
    int connections_ = 0;
};

double metric(const Server& server, std::string_view name) {
    for (const auto& sample : server.metrics())
        if (sample.name == name) return sample.value;
    return -1;
}

std::vector<Route> routes() {
    std::vector<Route> out;
    out.push_back(echo_route());
    out.back().body_max = 1 << 20;
    out.push_back(hello_route());
    return out;
}

Task<void> reuses(ServerFixture& fixture) {
    ClientOptions options;
    options.secret = "s3cret";
    HttpPeer peer(fixture.executor(), options);
    for (int i = 0; i < 5; ++i) {
        auto hello_request = request_to("GET", "/hello");
        auto hello = co_await ask(peer, fixture.server.address(), std::move(hello_request));
        CHECK(hello == "200 hello");
        auto echo_request = request_to("POST", "/echo", "abc");
        auto echo = co_await ask(peer, fixture.server.address(), std::move(echo_request));
        CHECK(echo == "200 abc");
    }
    auto missing_request = request_to("GET", "/no");
    auto missing = co_await ask(peer, fixture.server.address(), std::move(missing_request));
    CHECK(missing.starts_with("404 "));
    auto head_request = request_to("HEAD", "/hello");
    auto head = co_await ask(peer, fixture.server.address(), std::move(head_request));
    CHECK(head == "200 ");
    CHECK(metric(fixture.server, "longhaul_http_connections_total") == 1);
}

Task<void> streams_up(ServerFixture& fixture) {
    HttpPeer peer(fixture.executor(), {});
    auto request = request_to("POST", "/echo", "first ");
    request.body_stream = std::make_unique<StringSource>(
        std::vector<std::string>{"second ", std::string(300000, 'x')});
    request.stream_bytes = 300007;
    auto answer = co_await ask(peer, fixture.server.address(), std::move(request));
    CHECK(answer.size() == 4 + 6 + 300007);
    CHECK(answer.starts_with("200 first second xxx"));

    auto short_one = request_to("POST", "/echo");
    short_one.body_stream = std::make_unique<StringSource>(std::vector<std::string>{"abc"});
    short_one.stream_bytes = 4;
    auto wrong = co_await ask(peer, fixture.server.address(), std::move(short_one));
    CHECK(wrong == "invalid_argument: the request body is not of the length announced");

    // Refused before it is read: the answer is seen, not the broken pipe.
    auto big = request_to("POST", "/echo");
    big.body_stream =
        std::make_unique<StringSource>(std::vector<std::string>(64, std::string(1 << 20, 'x')));
    big.stream_bytes = 64 << 20;
    auto refused = co_await ask(peer, fixture.server.address(), std::move(big));
    CHECK(refused.starts_with("413 "));
}

Task<void> unreachable(Loop& loop) {
    HttpPeer peer(loop.executor(), {});
    for (const std::string address : {"127.0.0.1:1", "unix:/no/such.sock"}) {
        auto answer_request = request_to("GET", "/");
        auto answer = co_await ask(peer, address, std::move(answer_request));
        CHECK(answer.starts_with("unreachable: no connection to " + address));
    }
    auto bad_request = request_to("GET", "/");
    auto bad = co_await ask(peer, "nowhere", std::move(bad_request));
    CHECK(bad.starts_with("invalid_argument: "));
    auto target_request = request_to("GET", "/a\r\nX: y");
    auto target = co_await ask(peer, "127.0.0.1:1", std::move(target_request));
    CHECK(target.starts_with("invalid_argument: "));
    auto request = request_to("GET", "/");
    request.headers.emplace_back("X", "a\r\nY: b");
    auto header = co_await ask(peer, "127.0.0.1:1", std::move(request));
    CHECK(header.starts_with("invalid_argument: "));
}

struct FixedCase {
    std::string answer;
    std::string wanted;  // how what we make of it begins
    int calls = 1;       // each on a connection of its own
};

Task<void> fixed(Loop& loop, FixedCase each) {
    CAPTURE(each.answer);
    std::vector<std::string> answers(1, each.answer);
    FixedServer server(loop.executor(), answers);
    HttpPeer peer(loop.executor(), ClientOptions{});
    for (int i = 0; i < each.calls; ++i) {
        auto request = request_to("POST", "/", "x");
        auto answer = co_await ask(peer, server.address(), std::move(request));
        CHECK(answer.substr(0, each.wanted.size()) == each.wanted);
    }
    CHECK(server.connections() == each.calls);
    co_await server.stop();
}

std::vector<FixedCase> hostile_answers() {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string malformed = "unavailable: a malformed answer";
    std::string interim;
    for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    return {
        {ok + "Content-Length: 2\r\nConnection: close\r\n\r\nhi", "200 hi", 2},
        {ok + "\r\nuntil the end", "200 until the end", 2},
        {ok + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nA: b\r\n\r\n", "200 hi"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + ok +
             "Content-Length: 2\r\n\r\nhi",
         "200 hi"},
        {"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", "302 "},
        {interim, malformed},
        {"HTTP/1.1 101 Switching\r\n\r\n", malformed},
        {ok + "X: " + std::string(70000, 'x'), malformed},
        {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi", malformed},
        {"nonsense\r\n\r\n", malformed},
        {ok + "Content-Length: 9\r\n\r\nhi", "body unavailable"},
        {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "body unavailable"},
        {"", "unavailable: the connection"},
        {ok + "Cont", "unavailable: the connection"},
    };
}

Task<void> hostile(Loop& loop) {
    const auto cases = hostile_answers();
    for (const auto& each : cases) {
        FixedCase one = each;
        co_await fixed(loop, std::move(one));
    }
}

Task<void> stale(Loop& loop) {
    // Each connection answers once, looks kept, and closes at the next request's first byte.
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    FixedServer server(loop.executor(), {answer, ""});
    HttpPeer peer(loop.executor(), {});
    for (int i = 0; i < 3; ++i) {
        auto got_request = request_to("POST", "/", "x");
        auto got = co_await ask(peer, server.address(), std::move(got_request));
        CHECK(got == "200 hi");
    }
    CHECK(server.connections() == 3);

    ClientOptions options;
    options.repeat_posts = false;
    HttpPeer careful(loop.executor(), options);
    auto first_request = request_to("POST", "/", "x");
    auto first = co_await ask(careful, server.address(), std::move(first_request));
    CHECK(first == "200 hi");
    auto second_request = request_to("POST", "/", "x");
    auto second = co_await ask(careful, server.address(), std::move(second_request));
    CHECK(second.starts_with("unavailable: "));
    co_await server.stop();
}

Task<void> silent(Loop& loop) {
    FixedServer server(loop.executor(),
                       {"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "never sent"});
    HttpPeer peer(loop.executor(), {});
    tcp::acceptor mute(loop.executor(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    const auto address = "127.0.0.1:" + std::to_string(mute.local_endpoint().port());
    auto none_request = request_to("GET", "/");
    auto none = co_await ask(peer, address, std::move(none_request), std::chrono::milliseconds(60));
    CHECK(none == "timed_out: no answer from " + address + " within 60ms");
    FixedServer half(loop.executor(), {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "x"});
    auto body_request = request_to("GET", "/");
    auto body =
        co_await ask(peer, half.address(), std::move(body_request), std::chrono::milliseconds(60));
    CHECK(body == "body timed_out");
    co_await half.stop();
    co_await server.stop();
}

Task<void> call_silent(HttpPeer& peer, std::string address, int& ended) {
    struct AtEnd {
        int& ended;
        ~AtEnd() { ++ended; }
    } at_end{ended};
    auto request = request_to("GET", "/");
    auto answer = co_await peer.call(address, std::move(request), kLimit);
    CHECK(!answer);
}

Task<void> cancelled(Loop& loop) {
    tcp::acceptor mute(loop.executor(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    const auto address = "127.0.0.1:" + std::to_string(mute.local_endpoint().port());
    HttpPeer peer(loop.executor(), {});
    TaskGroup group(loop.executor(), Logger{});
    int ended = 0;
    group.start("call", call_silent(peer, address, ended));
    co_await loop.settle();
    group.cancel();
    co_await group.join();
    CHECK(ended == 1);
}

Task<void> abandoned(ServerFixture& fixture) {
    auto peer = std::make_unique<HttpPeer>(fixture.executor(), ClientOptions{});
    auto request = request_to("POST", "/echo", std::string(500000, 'x'));
    auto answer = co_await peer->call(fixture.server.address(), std::move(request), kLimit);
    REQUIRE(answer);
    peer.reset();  // the body outlives its peer
    auto body = co_await port::read_all(*answer->body, 1 << 20);
    REQUIRE(body);
    CHECK(body->size() == 500000);
}

}  // namespace

TEST_CASE("one connection serves call after call") {
    ServerFixture fixture(routes());
    fixture.run(reuses(fixture));
}

TEST_CASE("calls go over unix sockets too") {
    ServerOptions options;
    options.address = "unix:" + (std::filesystem::temp_directory_path() /
                                 ("lh-client-" + std::to_string(::getpid())))
                                    .string();
    ServerFixture fixture(routes(), options);
    fixture.run(reuses(fixture));
}

TEST_CASE("a body is streamed, and an early refusal is seen") {
    ServerFixture fixture(routes());
    fixture.run(streams_up(fixture));
}

TEST_CASE("what was certainly not sent is unreachable") {
    Loop loop;
    loop.run(unreachable(loop));
}

TEST_CASE("answers that are malformed, endless or half are errors, and other framings are read") {
    Loop loop;
    loop.run(hostile(loop));
}

TEST_CASE("a call on a connection that had gone stale is repeated once, where that is safe") {
    Loop loop;
    loop.run(stale(loop));
}

TEST_CASE("a silent server is left in time") {
    Loop loop;
    loop.run(silent(loop));
}

TEST_CASE("a cancelled call ends") {
    Loop loop;
    loop.run(cancelled(loop));
}

TEST_CASE("a response body outlives its peer") {
    ServerFixture fixture(routes());
    fixture.run(abandoned(fixture));
}

}  // namespace longhaul::net::test
