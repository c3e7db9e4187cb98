#include "runtime_agent_ext/driver/host_link.hpp"

#include "longhaul/crypto/random.hpp"
#include "longhaul/net/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace longhaul::runtime_agent_ext {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kAnswerMax = 1u << 20;  // bytes, head and body

Error lost(const boost::system::error_code& error) {
    return make_error(Errc::unavailable, "the host agent's connection: " + error.message());
}

std::optional<std::size_t> content_length(std::string_view head) {
    std::string lower(head);
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::string_view kName = "\r\ncontent-length:";
    const auto at = lower.find(kName);
    if (at == std::string::npos) return std::nullopt;
    const char* begin = lower.c_str() + at + kName.size();
    while (*begin == ' ') ++begin;
    std::size_t value = 0;
    const auto parsed = std::from_chars(begin, lower.c_str() + lower.size(), value);
    if (parsed.ec != std::errc{}) return std::nullopt;
    return value;
}

}  // namespace

struct HostLink::Connection {
    explicit Connection(const asio::any_io_executor& executor) : socket(executor) {}
    asio::local::stream_protocol::socket socket;
    std::string buffer;
};

HostLink::HostLink(asio::any_io_executor executor, port::Clock& clock, const Logger& logger,
                   const Config& config, Events events)
    : executor_(executor),
      clock_(clock),
      logger_(logger),
      config_(config),
      events_(std::move(events)),
      wake_(executor),
      pause_(config.reconnect_min),
      last_contact_(clock.now()) {}

asio::awaitable<void> HostLink::run() {
    for (;;) {
        co_await serve_connection();
        connected_ = false;
        sending_ = false;
        dirty_ = true;
        const Duration pause = next_pause();
        co_await clock_.wait_until(clock_.now() + pause);
    }
}

void HostLink::report_now() {
    dirty_ = true;
    wake_.cancel();
}

void HostLink::report_soon() {
    if (soon_) return;
    soon_ = clock_.now() + config_.coalesce;
    wake_.cancel();
}

asio::awaitable<void> HostLink::serve_connection() {
    Connection connection(executor_);
    auto connecting = connect(connection);
    auto done =
        co_await net::with_deadline<bool>(std::move(connecting), clock_, config_.report_timeout);
    if (!done) co_return;
    connected_ = true;
    for (;;) {
        // Cleared before the snapshot is taken: what changes during the exchange is sent after it.
        dirty_ = false;
        soon_.reset();
        sending_ = true;
        std::string request = request_text();
        auto exchanging = exchange(connection, std::move(request));
        auto answered = co_await net::with_deadline<bool>(std::move(exchanging), clock_,
                                                          config_.report_timeout);
        sending_ = false;
        if (!answered) {
            logger_.debug("report failed", {{"error", answered.error().message}});
            co_return;
        }
        pause_ = config_.reconnect_min;
        last_contact_ = clock_.now();
        const bool news = co_await wait_for_news(connection);
        if (!news) co_return;
    }
}

asio::awaitable<Result<bool>> HostLink::connect(Connection& connection) {
    boost::system::error_code error;
    const asio::local::stream_protocol::endpoint endpoint(config_.host_socket);
    co_await connection.socket.async_connect(endpoint,
                                             asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return lost(error);
    co_return true;
}

asio::awaitable<Result<bool>> HostLink::exchange(Connection& connection, std::string request) {
    boost::system::error_code error;
    co_await asio::async_write(connection.socket, asio::buffer(request),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return lost(error);
    auto buffer = asio::dynamic_buffer(connection.buffer, kAnswerMax);
    const std::size_t head_size = co_await asio::async_read_until(
        connection.socket, buffer, "\r\n\r\n", asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return lost(error);
    const std::string head = connection.buffer.substr(0, head_size);
    const auto size = content_length(head);
    if (!size || *size > kAnswerMax - head_size)
        co_return make_error(Errc::unavailable, "the host agent's answer has no usable length");
    const std::size_t have = connection.buffer.size() - head_size;
    if (have < *size) {
        co_await asio::async_read(connection.socket, buffer, asio::transfer_exactly(*size - have),
                                  asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return lost(error);
    }
    const std::string body = connection.buffer.substr(head_size, *size);
    connection.buffer.erase(0, head_size + *size);
    if (head.substr(0, 12) != "HTTP/1.1 200")
        co_return make_error(Errc::refused,
                             "the host agent answered " + head.substr(0, head.find("\r\n")));
    auto answer = wire::decode<wire::InstanceStatusAnswer>(body);
    if (!answer) co_return answer.error();
    events_.answered(*answer);
    co_return true;
}

// False: the connection is gone.
asio::awaitable<bool> HostLink::wait_for_news(Connection& connection) {
    // Shared with the pending wait, which may end after this call has.
    auto readable = std::make_shared<bool>(false);
    connection.socket.async_wait(asio::local::stream_protocol::socket::wait_read,
                                 [this, readable](boost::system::error_code error) {
                                     if (error) return;
                                     *readable = true;
                                     wake_.cancel();
                                 });
    while (!*readable && !dirty_ && !(soon_ && *soon_ <= clock_.now())) {
        if (soon_)
            wake_.expires_after(*soon_ - clock_.now());
        else
            wake_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code ignored;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    // Nothing is sent to us unasked: readable is the end of the connection.
    if (*readable) co_return false;
    boost::system::error_code ignored;
    connection.socket.cancel(ignored);
    co_return true;
}

std::string HostLink::request_text() const {
    const std::string body = events_.snapshot();
    std::string text =
        "POST /v1/instances/" + config_.instance.text +
        "/status HTTP/1.1\r\nHost: host\r\nAuthorization: Bearer " + config_.secret +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n";
    return text + body;
}

// Doubles up to the limit, with jitter: a host's instances must not all come back at one moment.
Duration HostLink::next_pause() {
    const Duration pause = pause_;
    pause_ = std::min(pause_ * 2, config_.reconnect_max);
    const auto half = static_cast<std::uint64_t>(pause.count() / 2);
    return Duration(static_cast<std::int64_t>(half + crypto::random_u64() % (half + 1)));
}

}  // namespace longhaul::runtime_agent_ext
