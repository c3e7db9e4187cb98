#include "gateway/routes/log_stream.hpp"

#include "gateway/routes/utf8.hpp"
#include "longhaul/net/sse.hpp"

#include <charconv>

namespace longhaul::gateway {
namespace {

constexpr Duration kLookAgain = std::chrono::seconds(1);

std::string_view stream_name(wire::LogStream stream) {
    switch (stream) {
    case wire::LogStream::out: return "stdout";
    case wire::LogStream::err: return "stderr";
    case wire::LogStream::system: break;
    }
    return "system";
}

Error invalid(std::string_view name, std::string_view why) {
    return make_error(Errc::invalid_argument,
                      "query " + std::string(name) + ": " + std::string(why), "invalid-parameter");
}

bool parse_number(std::string_view text, std::uint64_t& out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

bool parse_offset(std::string_view text, LogQuery& query) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    std::uint64_t attempt = 0;
    if (!parse_number(text.substr(0, colon), attempt) || attempt == 0 || attempt > UINT32_MAX)
        return false;
    query.attempt = static_cast<AttemptNumber>(attempt);
    return parse_number(text.substr(colon + 1), query.offset);
}

LogFormat format_of(const net::Request& request) {
    const std::string_view accept = request.header("Accept").value_or("");
    if (accept.find("text/event-stream") != std::string_view::npos) return LogFormat::sse;
    if (accept.find("application/x-ndjson") != std::string_view::npos) return LogFormat::ndjson;
    return LogFormat::text;
}

Result<void> read_parameter(const std::string& name, const std::string& value, LogQuery& query) {
    if (name == "follow" || name == "timestamps") {
        if (value != "1" && value != "true" && value != "0" && value != "false" && !value.empty())
            return invalid(name, "is neither true nor false");
        (name == "follow" ? query.follow : query.timestamps) = value != "0" && value != "false";
    } else if (name == "tail") {
        std::uint64_t tail = 0;
        if (!parse_number(value, tail)) return invalid(name, "is not a number of lines");
        query.tail = tail;
    } else if (name == "since") {
        if (!parse_offset(value, query)) return invalid(name, "is not an offset attempt:byte");
    } else if (name == "stream") {
        if (value != "stdout" && value != "stderr")
            return invalid(name, "is neither stdout nor stderr");
        query.stream = value == "stdout" ? wire::LogStream::out : wire::LogStream::err;
    } else {
        return unknown_parameter(name);
    }
    return {};
}

// A follower must not spin where waits return at once.
Error is_stopping() { return make_error(Errc::unavailable, "the gateway is stopping", "stopping"); }

}  // namespace

Result<LogQuery> parse_log_query(const net::Request& request) {
    LogQuery query;
    query.format = format_of(request);
    for (const auto& [name, value] : request.query)
        if (auto read = read_parameter(name, value, query); !read) return read.error();
    if (const auto last = request.header("Last-Event-ID"))
        if (!parse_offset(*last, query))
            return make_error(Errc::invalid_argument,
                              "Last-Event-ID: is not an offset attempt:byte", "invalid-header");
    return query;
}

LogReader::LogReader(const Api& api, Addressed what, LogQuery query)
    : api_(api), what_(std::move(what)), query_(query) {}

boost::asio::awaitable<Result<std::string>> LogReader::read() {
    while (!finished_) {
        if (!source_) {
            auto next = co_await open_next();
            if (!next) co_return next.error();
            if (*next == Next::ended) co_return finish();
            if (*next == Next::waiting) {
                auto woken = co_await wait_for_change();
                if (!woken) co_return woken.error();
                if (api_.gateway.stopping()) co_return is_stopping();
                if (*woken == Next::waiting && query_.format == LogFormat::sse)
                    co_return std::string(net::kSseHeartbeat);
            }
            continue;
        }
        auto chunk = co_await source_->read();
        if (!chunk) {
            // Silence, or a host that went away: look again from the same place.
            source_.reset();
            partial_.clear();
            if (!query_.follow) co_return chunk.error();
            if (query_.format == LogFormat::sse) co_return std::string(net::kSseHeartbeat);
            continue;
        }
        if (chunk->empty()) {
            source_.reset();
            partial_.clear();
            if (last_look_) {
                ++query_.attempt;
                query_.offset = 0;
            } else if (!query_.follow) {
                co_return finish();
            } else {
                auto woken = co_await wait_for_change();
                if (!woken) co_return woken.error();
                if (api_.gateway.stopping()) co_return is_stopping();
            }
            continue;
        }
        std::string out;
        take(*chunk, out);
        if (!out.empty()) co_return out;
    }
    co_return std::string();
}

// Opens the log of the attempt that is next, from where reading stands.
boost::asio::awaitable<Result<LogReader::Next>> LogReader::open_next() {
    TenantName tenant = what_.tenant;
    InvocationId id = what_.id;
    auto snapshot = co_await api_.gateway.get(std::move(tenant), std::move(id));
    if (!snapshot) co_return snapshot.error();
    const Invocation& invocation = snapshot->invocation;
    seen_revision_ = invocation.revision;
    const Attempt* next = nullptr;
    for (const Attempt& attempt : invocation.attempts) {
        if (attempt.number < query_.attempt || attempt.outcome == AttemptOutcome::route_error)
            continue;
        next = &attempt;
        if (!query_.tail) break;  // with a tail: the newest
    }
    if (!next) {
        if (is_terminal(invocation.state) || !query_.follow) co_return Next::ended;
        co_return Next::waiting;
    }
    if (next->number != query_.attempt) query_.offset = 0;
    query_.attempt = next->number;
    last_look_ = next->outcome.has_value();
    // One byte back: unless that one ends a line, the offset lies inside one, which is skipped.
    skips_to_line_ = query_.offset > 0 && !query_.tail;
    if (skips_to_line_) --query_.offset;
    std::string parameters = "offset=" + std::to_string(query_.offset);
    if (query_.follow && !last_look_) parameters += "&follow=1";
    if (query_.tail) parameters += "&tail=" + std::to_string(*query_.tail);
    if (query_.stream) parameters += std::string("&stream=") + static_cast<char>(*query_.stream);
    query_.tail.reset();
    Snapshot of = std::move(*snapshot);
    auto source =
        co_await api_.gateway.open_log(std::move(of), query_.attempt, std::move(parameters));
    if (source) {
        if (source->first_byte) query_.offset = *source->first_byte;
        source_ = std::move(source->bytes);
        co_return Next::reading;
    }
    // A host that has nothing yet for this attempt (its take is under way) is no error.
    const bool not_yet = source.error().code == Errc::not_found && !last_look_;
    if (not_yet && query_.follow) co_return Next::waiting;
    if (source.error().code == Errc::not_found) co_return Next::ended;
    co_return source.error();
}

boost::asio::awaitable<Result<LogReader::Next>> LogReader::wait_for_change() {
    TenantName tenant = what_.tenant;
    InvocationId id = what_.id;
    const TimePoint until = api_.gateway.clock().now() + kLookAgain;
    auto snapshot = co_await api_.gateway.wait_change(std::move(tenant), std::move(id),
                                                      seen_revision_, UINT64_MAX, until);
    if (!snapshot) co_return snapshot.error();
    co_return snapshot->invocation.revision == seen_revision_ ? Next::waiting : Next::reading;
}

void LogReader::take(std::string_view chunk, std::string& out) {
    partial_ += chunk;
    std::size_t start = 0;
    while (true) {
        const std::size_t end = partial_.find('\n', start);
        if (end == std::string::npos) break;
        query_.offset += end + 1 - start;
        if (!skips_to_line_)
            take_line(std::string_view(partial_).substr(start, end - start), query_.offset, out);
        skips_to_line_ = false;
        start = end + 1;
    }
    partial_.erase(0, start);
}

void LogReader::take_line(std::string_view raw, std::uint64_t end_offset, std::string& out) {
    const auto line = wire::decode_log_line(raw);
    if (!line) return;  // not ours: skipped, the rest stays readable
    if (query_.stream && line->stream != *query_.stream && line->stream != wire::LogStream::system)
        return;
    const std::string offset = std::to_string(query_.attempt) + ":" + std::to_string(end_offset);
    const TimePoint at = from_unix_ms(line->unix_ms);
    if (query_.format == LogFormat::text) {
        if (query_.timestamps)
            out += format_rfc3339(at) + " " + std::string(stream_name(line->stream)) + " ";
        out += line->text;
        if (line->flag != wire::LogFlag::continues || query_.timestamps) out += '\n';
        return;
    }
    wire::Json document = wire::Json::object();
    document.set("time", format_rfc3339(at))
        .set("attempt", std::uint64_t{query_.attempt})
        .set("stream", stream_name(line->stream))
        .set("text", valid_utf8(line->text))
        .set("offset", offset);
    if (line->flag == wire::LogFlag::continues) document.set("continues", true);
    if (line->flag == wire::LogFlag::dropped) document.set("dropped", true);
    if (query_.format == LogFormat::ndjson) {
        out += document.dump() + "\n";
        return;
    }
    net::SseEvent event;
    event.id = offset;
    event.event = "log";
    event.data = document.dump();
    out += net::format_sse(event);
}

// What closes a stream: an EventSource would reconnect after a bare close.
std::string LogReader::finish() {
    finished_ = true;
    if (query_.format != LogFormat::sse) return {};
    net::SseEvent event;
    event.event = "end";
    event.data = "{}";
    return net::format_sse(event);
}

}  // namespace longhaul::gateway
