// The calls that last, and live through an interruption: wait() and logs().
#include "longhaul/client/client.hpp"
#include "longhaul/client/decode.hpp"

#include <fmt/format.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace longhaul::client {
namespace {

using boost::asio::awaitable;
using Monotonic = std::chrono::steady_clock;

constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(2);

// Whether asking again may help: the gateway is away, starting or stopping.
bool is_passing(const Error& error) {
    return error.code == Errc::unreachable || error.code == Errc::unavailable ||
           error.code == Errc::timed_out || error.code == Errc::overloaded;
}

awaitable<void> pause(Duration length) {
    auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, length);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

// Pauses between tries, longer each time, up to a limit on the whole interruption.
class Patience {
public:
    explicit Patience(Duration limit) : limit_(limit) {}

    void reset() {
        since_.reset();
        next_ = kFirstPause;
    }

    // The pause before the next try, or nothing when patience is over.
    [[nodiscard]] std::optional<Duration> next() {
        const auto now = Monotonic::now();
        if (!since_) since_ = now;
        if (now - *since_ >= limit_) return std::nullopt;
        const Duration length = next_;
        next_ = std::min(next_ * 2, kLongestPause);
        return length;
    }

private:
    const Duration limit_;
    std::optional<Monotonic::time_point> since_{};
    Duration next_ = kFirstPause;
};

}  // namespace

// Where a log stream stands.
struct Client::LogCursor {
    LogRequest request;
    bool follow = false;
    bool moved = false;    // some line came since it was last asked
    bool reached = false;  // the server has answered at least once

    [[nodiscard]] std::string target() const {
        std::string query = fmt::format("/v1/invocations/{}/logs?follow={}",
                                        url_encode(request.id.text), follow ? "true" : "false");
        if (!request.since.empty()) {
            query += "&since=" + url_encode(request.since);
        } else if (request.tail) {
            query += fmt::format("&tail={}", *request.tail);
        }
        if (!request.stream.empty()) query += "&stream=" + url_encode(request.stream);
        return query;
    }
};

awaitable<Result<InvocationStatus>> Client::wait(InvocationId id, Duration tick, StatusSink each) {
    auto status = co_await get(id);
    Patience patience(options_.reconnect_limit);
    while (status && each(*status) && !status->ended()) {
        InvocationStatus known = *status;
        auto next = co_await get_after(std::move(known), tick);
        while (!next && is_passing(next.error())) {
            const auto length = patience.next();
            if (!length) break;
            co_await pause(*length);
            next = co_await get(id);
        }
        patience.reset();
        status = std::move(next);
    }
    co_return status;
}

// One stream, from its opening to its end or failure; `cursor` moves with every line.
awaitable<Result<void>> Client::stream_logs(LogCursor& cursor, const LogSink& sink) {
    port::PeerRequest request;
    request.method = "GET";
    request.target = cursor.target();
    request.headers.emplace_back("Accept", "application/x-ndjson");
    const Duration limit = cursor.follow ? options_.stream_silence : options_.call_limit;
    auto response = co_await call(std::move(request), limit);
    if (!response) co_return response.error();
    cursor.reached = true;
    std::string pending;
    while (true) {
        auto chunk = co_await response->body->read();
        if (!chunk) co_return chunk.error();
        if (chunk->empty()) co_return Result<void>();
        pending += *chunk;
        std::size_t begin = 0;
        for (auto end = pending.find('\n'); end != std::string::npos;
             begin = end + 1, end = pending.find('\n', begin)) {
            if (end == begin) continue;
            auto line = decode_log_line(std::string_view(pending).substr(begin, end - begin));
            if (!line) co_return line.error();
            if (!line->offset.empty()) cursor.request.since = line->offset;
            cursor.moved = true;
            if (auto taken = sink(*line); !taken) co_return taken.error();
        }
        pending.erase(0, begin);
        if (pending.size() > options_.document_bytes_max)
            co_return make_error(Errc::too_large, "a log line is longer than any may be");
    }
}

// After a followed stream closed in good order: has everything been said? A gateway that stops
// closes its streams too, so the last word is read once more when the run has ended.
awaitable<Result<bool>> Client::log_is_complete(LogCursor& cursor, const LogSink& sink) {
    InvocationId id = cursor.request.id;
    auto status = co_await get(std::move(id));
    if (!status) co_return status.error();
    if (!status->ended()) co_return false;
    cursor.follow = false;
    auto rest = co_await stream_logs(cursor, sink);
    cursor.follow = true;
    if (!rest) co_return rest.error();
    co_return true;
}

awaitable<Result<void>> Client::logs(LogRequest request, LogSink sink) {
    LogCursor cursor{std::move(request)};
    cursor.follow = cursor.request.follow;
    Patience patience(options_.reconnect_limit);
    while (true) {
        cursor.moved = false;
        auto streamed = co_await stream_logs(cursor, sink);
        if (!cursor.follow) co_return streamed;
        if (cursor.moved) patience.reset();
        std::optional<Error> error;
        if (streamed) {
            auto complete = co_await log_is_complete(cursor, sink);
            if (complete && *complete) co_return Result<void>();
            if (complete) {
                patience.reset();
            } else {
                error = complete.error();
            }
        } else {
            error = streamed.error();
        }
        if (error && (!cursor.reached || !is_passing(*error))) co_return *error;
        // A silent run is no interruption: the stream is just opened again.
        if (error && error->code == Errc::timed_out) patience.reset();
        const auto length = patience.next();
        if (!length) co_return *error;
        co_await pause(*length);
    }
}

}  // namespace longhaul::client
