#include "tests/unit/net/net_fixture.hpp"

#include "longhaul/net/impl/address.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace longhaul::net::test {
namespace {

const boost::asio::use_awaitable_t<> kAwait{};

ServerOptions with_address(ServerOptions options) {
    if (options.address.empty()) options.address = "127.0.0.1:0";
    if (options.name.empty()) options.name = "test";
    return options;
}

Task<Response> echo(Request& request) {
    auto body = co_await port::read_all(*request.body, 1 << 20);
    if (!body) co_return problem_response(body.error());
    co_return text_response(200, *body);
}

Task<Response> hello() { co_return text_response(200, "hello"); }

std::size_t length_in(const std::string& head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

TimePoint TestClock::now() const {
    if (!real_) return now_;
    return TimePoint(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Task<void> TestClock::wait_until(TimePoint when) {
    while (now() < when) co_await moved_.wait();
}

void TestClock::advance(Duration step) {
    now_ += step;
    moved_.notify_all();
}

void Loop::run(Task<void> task) {
    bool done = false;
    std::exception_ptr failure;
    boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr thrown) {
        done = true;
        failure = thrown;
        io.stop();
    });
    io.restart();
    io.run_for(std::chrono::seconds(30));
    if (failure) std::rethrow_exception(failure);
    REQUIRE(done);
}

Task<void> Loop::settle() {
    for (int i = 0; i < 20; ++i) co_await boost::asio::post(io, kAwait);
}

Task<void> RawClient::connect(std::string address) {
    const auto parsed = parse_address(address);
    StreamEndpoint endpoint;
    REQUIRE(to_endpoint(*parsed, endpoint));
    socket_.open(endpoint.protocol());
    co_await socket_.async_connect(endpoint, kAwait);
}

Task<void> RawClient::send(std::string bytes) {
    boost::system::error_code ignored;  // the server may have closed: its answer tells
    const auto buffer = boost::asio::buffer(bytes);
    co_await boost::asio::async_write(socket_, buffer,
                                      boost::asio::redirect_error(kAwait, ignored));
}

Task<bool> RawClient::fill() {
    const auto had = buffer_.size();
    buffer_.resize(had + 65536);
    boost::system::error_code error;
    const auto room = boost::asio::buffer(buffer_.data() + had, 65536);
    const auto size =
        co_await socket_.async_read_some(room, boost::asio::redirect_error(kAwait, error));
    buffer_.resize(had + size);
    co_return !error;
}

Task<std::string> RawClient::read_answer() {
    const auto head_end = co_await read_until("\r\n\r\n");
    if (head_end.empty()) co_return std::string();
    auto answer = head_end;
    if (answer.find("Transfer-Encoding: chunked") != std::string::npos) {
        answer += co_await read_until("0\r\n\r\n");
        co_return answer;
    }
    const auto length = length_in(answer);
    while (buffer_.size() < length) {
        const bool more = co_await fill();
        if (!more) break;
    }
    answer += buffer_.substr(0, length);
    buffer_.erase(0, length);
    co_return answer;
}

Task<std::string> RawClient::read_until(std::string text) {
    while (buffer_.find(text) == std::string::npos) {
        const bool more = co_await fill();
        if (!more) co_return std::string();
    }
    const auto size = buffer_.find(text) + text.size();
    auto out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    co_return out;
}

Task<std::string> RawClient::read_to_end() {
    bool more = true;
    while (more) more = co_await fill();
    co_return std::move(buffer_);
}

void RawClient::half_close() { socket_.shutdown(StreamSocket::shutdown_send); }
void RawClient::close() { socket_.close(); }

ServerFixture::ServerFixture(std::vector<Route> routes, ServerOptions options, bool real_clock)
    : Loop(real_clock),
      server(executor(), clock, Logger{}, with_address(std::move(options)), std::move(routes)) {
    const auto started = server.start();
    if (!started) FAIL(started.error().message);
}

void ServerFixture::run(Task<void> task) {
    std::exception_ptr failure;
    try {
        Loop::run(std::move(task));
    } catch (...) {
        failure = std::current_exception();
    }
    Loop::run(server.stop(Duration::zero()));
    if (failure) std::rethrow_exception(failure);
}

Task<std::string> ServerFixture::exchange(std::string raw) {
    RawClient client(executor());
    co_await client.connect(server.address());
    co_await client.send(raw);
    auto answer = co_await client.read_to_end();
    co_return answer;
}

Route route(std::string method, std::string pattern, Handler handler) {
    Route out;
    out.method = std::move(method);
    out.pattern = std::move(pattern);
    out.handler = std::move(handler);
    return out;
}

Route echo_route() {
    return route("POST", "/echo", [](Request& request) { return echo(request); });
}

Route hello_route() {
    return route("GET", "/hello", [](Request&) { return hello(); });
}

Task<Result<std::string>> StringSource::read() {
    if (next_ == pieces_.size()) co_return std::string();
    co_return pieces_[next_++];
}

Task<Result<std::string>> SilentSource::read() {
    while (true) co_await silence_.wait();
}

}  // namespace longhaul::net::test
