// The calls that last, and live through an interruption: wait(), wait_drained() and logs().
#include "longhaul/client/client.hpp"
#include "longhaul/client/decode.hpp"
#include "longhaul/client/impl/patience.hpp"
#include "longhaul/client/impl/words.hpp"

#include <fmt/format.h>

namespace longhaul::client {

using boost::asio::awaitable;

// Where a log stream stands.
struct Client::LogCursor {
    LogRequest request;
    bool follow = false;
    bool moved = false;  // some line came since it was last asked

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

awaitable<Result<InvocationStatus>> Client::get_patiently(InvocationId id) {
    Patience patience(options_.reconnect_limit);
    while (true) {
        InvocationId of = id;
        auto status = co_await get(std::move(of));
        if (status || !may_come_back(status.error())) co_return status;
        const auto length = patience.next();
        if (!length) co_return status;
        co_await pause(*length);
    }
}

awaitable<Result<InvocationStatus>> Client::wait(InvocationId id, Duration tick, StatusSink each) {
    auto status = co_await get_patiently(id);
    while (status && each(*status) && !status->ended()) {
        InvocationStatus known = *status;
        auto next = co_await get_after(std::move(known), tick);
        if (!next && may_come_back(next.error())) next = co_await get_patiently(id);
        status = std::move(next);
    }
    co_return status;
}

awaitable<Result<HostDrain>> Client::wait_drained(HostId host, Duration tick, DrainSink each) {
    Patience patience(options_.reconnect_limit);
    while (true) {
        HostId of = host;
        auto drain = co_await get_drain(std::move(of));
        std::optional<Duration> length = tick;
        if (drain) {
            patience.reset();
            if (drain->drained || !drain->draining) co_return drain;
            each(*drain);
        } else {
            length = may_come_back(drain.error()) ? patience.next() : std::nullopt;
        }
        if (!length) co_return drain;
        co_await pause(*length);
    }
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
    std::string pending;
    while (true) {
        auto chunk = co_await response->body->read();
        if (!chunk) co_return explain(options_, chunk.error());
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
        if (error && !may_come_back(*error)) co_return *error;
        // A silent run is no interruption: the stream is just opened again.
        if (error && error->code == Errc::timed_out) patience.reset();
        const auto length = patience.next();
        if (!length) co_return *error;
        co_await pause(*length);
    }
}

}  // namespace longhaul::client
