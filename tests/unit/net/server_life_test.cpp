// Time and ends: deadlines, clients that leave, many who wait, shutdown.
#include "longhaul/net/sse.hpp"
#include "longhaul/net/task_group.hpp"
#include "tests/unit/net/net_fixture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <filesystem>

namespace longhaul::net::test {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string get(const std::string& path, const std::string& method = "GET") {
    return method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

// Handlers that wait for `event`, and count.
struct Waiting {
    explicit Waiting(boost::asio::any_io_executor executor) : event(executor) {}
    Notifier event;
    int begun = 0;
    int ended = 0;
    int cancelled = 0;
};

Task<Response> wait_for_event(Waiting& waiting) {
    struct AtEnd {
        Waiting& waiting;
        bool whole = false;
        ~AtEnd() { ++(whole ? waiting.ended : waiting.cancelled); }
    } at_end{waiting};
    ++waiting.begun;
    co_await waiting.event.wait();
    co_await boost::asio::this_coro::executor;
    auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    at_end.whole = true;
    co_return text_response(200, "happened");
}

struct Holder {  // filled in after the fixture, whose loop it needs
    std::unique_ptr<Waiting> waiting;
};

std::vector<Route> waiting_routes(Holder& holder, Duration deadline) {
    std::vector<Route> out;
    out.push_back(hello_route());
    for (const std::string method : {"GET", "POST"}) {
        auto wait =
            route(method, "/wait", [&holder](Request&) { return wait_for_event(*holder.waiting); });
        wait.deadline = deadline;
        out.push_back(std::move(wait));
    }
    return out;
}

// Until `done`; the loop's own limit ends a test that waits in vain.
template <class Done>
Task<void> until(Loop& loop, Done done) {
    boost::asio::steady_timer timer(loop.executor());
    while (!done()) {
        timer.expires_after(std::chrono::milliseconds(5));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

Task<void> late_handler(ServerFixture& fixture, Holder& holder) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/wait"));
    co_await until(fixture, [&] { return holder.waiting->begun == 1; });
    fixture.clock.advance(std::chrono::seconds(4));
    co_await fixture.settle();
    CHECK(holder.waiting->cancelled == 0);
    fixture.clock.advance(std::chrono::seconds(2));
    const auto answer = co_await client.read_answer();
    CHECK(has(answer, "request-timeout"));
    CHECK(has(answer, "not done after 5s"));
    CHECK(holder.waiting->cancelled == 1);
    // The connection lives on.
    co_await client.send(get("/hello"));
    const auto next = co_await client.read_answer();
    CHECK(next.ends_with("hello"));
}

Task<void> slow_clients(ServerFixture& fixture) {
    RawClient idle(fixture.executor());
    RawClient slow(fixture.executor());
    RawClient stalled(fixture.executor());
    co_await idle.connect(fixture.server.address());
    co_await slow.connect(fixture.server.address());
    co_await stalled.connect(fixture.server.address());
    co_await slow.send("GET /hel");
    co_await stalled.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    boost::asio::steady_timer timer(fixture.executor(), std::chrono::milliseconds(50));
    co_await timer.async_wait(boost::asio::use_awaitable);
    fixture.clock.advance(std::chrono::seconds(31));
    const auto header = co_await slow.read_to_end();
    CHECK(header.starts_with("HTTP/1.1 408 "));
    CHECK(has(header, "not complete after 10s"));
    const auto body = co_await stalled.read_to_end();
    CHECK(has(body, "body-timeout"));
    fixture.clock.advance(std::chrono::seconds(60));
    const auto nothing = co_await idle.read_to_end();
    CHECK(nothing.empty());
}

// A byte every 20 s is never silent for 30 s, and all the same no upload.
Task<void> trickle(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\nx");
    for (int i = 0; i < 3; ++i) {
        boost::asio::steady_timer timer(fixture.executor(), std::chrono::milliseconds(30));
        co_await timer.async_wait(boost::asio::use_awaitable);
        fixture.clock.advance(std::chrono::seconds(20));
        co_await client.send("y");
    }
    const auto answer = co_await client.read_to_end();
    CHECK(has(answer, "body-timeout"));
    CHECK(has(answer, "less than 512 bytes a second"));
}

Task<void> leaving(ServerFixture& fixture, Holder& holder) {
    auto& waiting = *holder.waiting;
    RawClient leaves(fixture.executor());
    RawClient half(fixture.executor());
    RawClient stays(fixture.executor());
    for (auto* client : {&leaves, &half, &stays}) {
        co_await client->connect(fixture.server.address());
        co_await client->send(get("/wait"));
    }
    co_await until(fixture, [&] { return waiting.begun == 3; });
    leaves.close();
    half.half_close();
    co_await until(fixture, [&] { return waiting.cancelled == 2; });
    CHECK(waiting.event.waiting() == 1);
    waiting.event.notify_all();
    const auto answer = co_await stays.read_answer();
    CHECK(answer.ends_with("happened"));
    CHECK(waiting.ended == 1);
}

Task<void> many_polls(ServerFixture& fixture, Holder& holder) {
    auto& waiting = *holder.waiting;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(std::make_unique<RawClient>(fixture.executor()));
        co_await clients.back()->connect(fixture.server.address());
        co_await clients.back()->send(get("/wait"));
    }
    co_await until(fixture, [&] { return waiting.begun == 200; });
    waiting.event.notify_all();
    for (auto& client : clients) {
        const auto answer = co_await client->read_answer();
        CHECK(answer.ends_with("happened"));
    }
    CHECK(waiting.ended == 200);
}

Task<Response> follow(boost::asio::any_io_executor executor, int& alive) {
    auto silent = std::make_unique<SilentSource>(executor, alive);
    co_return sse_response(std::move(silent));
}

Task<void> following(ServerFixture& fixture, int& alive) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/follow"));
    const auto head = co_await client.read_until("retry: 3000\n\n");
    CHECK(has(head, "Content-Type: text/event-stream\r\n"));
    CHECK(alive == 1);
    client.close();
    co_await until(fixture, [&] { return alive == 0; });
}

class EndlessSource final : public ByteSource {
public:
    explicit EndlessSource(int& alive) : alive_(alive) { ++alive_; }
    ~EndlessSource() override { --alive_; }
    Task<Result<std::string>> read() override { co_return std::string(64 * 1024, 'x'); }

private:
    int& alive_;
};

Task<Response> endless(int& alive) {
    Response response;
    response.stream = std::make_unique<EndlessSource>(alive);
    co_return response;
}

Task<void> never_reads(ServerFixture& fixture, int& alive) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/endless"));
    co_await until(fixture, [&] { return alive == 1; });
    boost::asio::steady_timer timer(fixture.executor());
    while (alive == 1) {  // in the end a write blocks, and its time is up
        timer.expires_after(std::chrono::milliseconds(5));
        co_await timer.async_wait(boost::asio::use_awaitable);
        fixture.clock.advance(std::chrono::seconds(1));
    }
}

Task<void> drains(ServerFixture& fixture, Holder& holder, bool in_time) {
    auto& waiting = *holder.waiting;
    RawClient idle(fixture.executor());
    RawClient busy(fixture.executor());
    RawClient posts(fixture.executor());
    for (auto* client : {&idle, &posts}) {
        co_await client->connect(fixture.server.address());
        co_await client->send(get("/hello"));
        const auto answer = co_await client->read_answer();
        CHECK(answer.ends_with("hello"));
    }
    co_await busy.connect(fixture.server.address());
    co_await busy.send(get("/wait"));
    co_await until(fixture, [&] { return waiting.begun == 1; });

    fixture.server.refuse_new_work();
    co_await posts.send(get("/wait", "POST"));
    const auto refused = co_await posts.read_to_end();
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    CHECK(has(refused, "stopping"));
    CHECK(has(refused, "Retry-After: "));

    TaskGroup group(fixture.executor(), Logger{});
    group.start("stop", fixture.server.stop(in_time ? Duration(std::chrono::seconds(20))
                                                    : Duration::zero()));
    const auto nothing = co_await idle.read_to_end();
    CHECK(nothing.empty());
    if (in_time) waiting.event.notify_all();
    const auto answer = co_await busy.read_to_end();
    CHECK(answer.starts_with(in_time ? "HTTP/1.1 200 " : "HTTP/1.1 503 "));
    CHECK(has(answer, "Connection: close\r\n"));
    co_await group.join();
    co_await fixture.server.stop(Duration::zero());
    CHECK(waiting.ended + waiting.cancelled == 1);
}

Task<void> too_many(ServerFixture& fixture, Holder& holder) {
    RawClient busy(fixture.executor());
    co_await busy.connect(fixture.server.address());
    co_await busy.send(get("/wait"));
    co_await until(fixture, [&] { return holder.waiting->begun == 1; });
    RawClient second(fixture.executor());
    co_await second.connect(fixture.server.address());
    co_await second.send(get("/hello"));
    const auto answer = co_await second.read_answer();
    CHECK(answer.starts_with("HTTP/1.1 429 "));
    CHECK(has(answer, "Retry-After: 1\r\n"));
}

// A socket file whose server is gone, as kill -9 leaves it.
void leave_dead_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                   sizeof address) == 0);
    ::close(fd);
}

Task<void> hello_on(ServerFixture& fixture) {
    RawClient client(fixture.executor());
    co_await client.connect(fixture.server.address());
    co_await client.send(get("/hello"));
    const auto answer = co_await client.read_answer();
    CHECK(answer.ends_with("hello"));
}

}  // namespace

TEST_CASE("a handler over its deadline is ended and answered for") {
    Holder holder;
    ServerFixture fixture(waiting_routes(holder, std::chrono::seconds(5)), {}, false);
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(late_handler(fixture, holder));
}

TEST_CASE("slow headers, stalled bodies and idle connections end in time") {
    std::vector<Route> routes;
    routes.push_back(echo_route());
    ServerFixture fixture(std::move(routes), {}, false);
    fixture.run(slow_clients(fixture));
}

TEST_CASE("a body that trickles in is cut, though it is never silent for long") {
    ServerOptions options;
    options.limits.body_rate_min = 512;
    std::vector<Route> routes;
    routes.push_back(echo_route());
    ServerFixture fixture(std::move(routes), options, false);
    fixture.run(trickle(fixture));
}

TEST_CASE("a client that leaves, or closes its half, ends its handler") {
    Holder holder;
    ServerFixture fixture(waiting_routes(holder, Duration::zero()));
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(leaving(fixture, holder));
}

TEST_CASE("200 long polls are answered by one event") {
    Holder holder;
    ServerFixture fixture(waiting_routes(holder, Duration::zero()));
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(many_polls(fixture, holder));
}

TEST_CASE("a follower of a silent stream that leaves is noticed") {
    int alive = 0;
    std::vector<Route> routes;
    boost::asio::any_io_executor executor;
    routes.push_back(route("GET", "/follow", [&](Request&) { return follow(executor, alive); }));
    ServerFixture fixture(std::move(routes));
    executor = fixture.executor();
    fixture.run(following(fixture, alive));
}

TEST_CASE("a reader that does not read is cut") {
    int alive = 0;
    std::vector<Route> routes;
    routes.push_back(route("GET", "/endless", [&](Request&) { return endless(alive); }));
    ServerFixture fixture(std::move(routes), {}, false);
    fixture.run(never_reads(fixture, alive));
}

TEST_CASE("a stop lets handlers end in time") {
    Holder holder;
    ServerFixture fixture(waiting_routes(holder, Duration::zero()));
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(drains(fixture, holder, true));
}

TEST_CASE("a stop ends handlers that take too long") {
    Holder holder;
    ServerFixture fixture(waiting_routes(holder, Duration::zero()));
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(drains(fixture, holder, false));
}

TEST_CASE("requests above the limit are told to come again") {
    Holder holder;
    ServerOptions options;
    options.limits.requests_max = 1;
    ServerFixture fixture(waiting_routes(holder, Duration::zero()), options);
    holder.waiting = std::make_unique<Waiting>(fixture.executor());
    fixture.run(too_many(fixture, holder));
}

TEST_CASE("the socket file of a dead server is replaced") {
    const auto path =
        (std::filesystem::temp_directory_path() / ("lh-dead-" + std::to_string(::getpid())))
            .string();
    leave_dead_socket(path);
    ServerOptions options;
    options.address = "unix:" + path;
    std::vector<Route> routes;
    routes.push_back(hello_route());
    ServerFixture fixture(std::move(routes), options);
    fixture.run(hello_on(fixture));
}

}  // namespace longhaul::net::test
