// A loop, a clock that moves by hand or by itself, and raw clients: what the tests of net speak in.
//
// Everything runs on one io_context in the test's own thread, on real sockets at free ports.
#pragma once

#include "longhaul/net/notifier.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/port/clock.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::net::test {

template <class T>
using Task = boost::asio::awaitable<T>;

// Stands still until moved, or follows the monotonic clock.
class TestClock final : public port::Clock {
public:
    TestClock(boost::asio::any_io_executor executor, bool real) : moved_(executor), real_(real) {}

    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] TimePoint wall_now() const override { return now(); }
    Task<void> wait_until(TimePoint when) override;
    void advance(Duration step);
    [[nodiscard]] std::size_t waiting() const { return moved_.waiting(); }

private:
    TimePoint now_{std::chrono::hours(24 * 365 * 50)};
    Notifier moved_;
    bool real_;
};

class Loop {
public:
    explicit Loop(bool real_clock = true) : clock(io.get_executor(), real_clock) {}

    boost::asio::io_context io{1};
    TestClock clock;

    // Runs `task` to its end, at most 30 s, and throws what it throws.
    void run(Task<void> task);
    [[nodiscard]] boost::asio::any_io_executor executor() { return io.get_executor(); }
    // Lets everything that is ready run.
    Task<void> settle();
};

// Sends what it is told and shows what comes.
class RawClient {
public:
    explicit RawClient(boost::asio::any_io_executor executor) : socket_(executor) {}

    Task<void> connect(std::string address);
    Task<void> send(std::string bytes);
    // One answer: head and, by Content-Length or chunks, its body. "" when closed before.
    Task<std::string> read_answer();
    Task<std::string> read_to_end();
    Task<std::string> read_until(std::string text);
    void half_close();
    void close();

private:
    Task<bool> fill();

    boost::asio::generic::stream_protocol::socket socket_;
    std::string buffer_;
};

// A server with the routes given, on 127.0.0.1:0 unless the options say otherwise.
class ServerFixture : public Loop {
public:
    explicit ServerFixture(std::vector<Route> routes, ServerOptions options = {},
                           bool real_clock = true);

    Server server;

    // As Loop::run(), and stops the server in any case.
    void run(Task<void> task);
    Task<std::string> exchange(std::string raw);  // on a new connection, until it is closed
};

[[nodiscard]] Route route(std::string method, std::string pattern, Handler handler);
[[nodiscard]] Route echo_route();   // POST /echo: the body
[[nodiscard]] Route hello_route();  // GET /hello: "hello"

class StringSource final : public ByteSource {
public:
    explicit StringSource(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
    Task<Result<std::string>> read() override;

private:
    std::vector<std::string> pieces_;
    std::size_t next_ = 0;
};

// Never gives anything; counts itself.
class SilentSource final : public ByteSource {
public:
    SilentSource(boost::asio::any_io_executor executor, int& alive)
        : silence_(executor), alive_(alive) {
        ++alive_;
    }
    ~SilentSource() override { --alive_; }
    Task<Result<std::string>> read() override;

private:
    Notifier silence_;
    int& alive_;
};

}  // namespace longhaul::net::test
