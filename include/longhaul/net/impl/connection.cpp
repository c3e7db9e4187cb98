#include "longhaul/net/impl/connection.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace longhaul::net {
namespace {

// A small answer travels in one buffer with its head.
constexpr std::size_t kInlineBodyMax = 16 * 1024;
constexpr std::size_t kLingerBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kChunksPerTurn = 8;
constexpr Duration kLingerMax = std::chrono::seconds(2);

HeadRefusal bad_request(std::string message, int status = 400,
                        std::string type = "invalid-request") {
    return HeadRefusal{status,
                       make_error(Errc::invalid_argument, std::move(message), std::move(type))};
}

// Forms of one path that routers read differently are refused, not normalised.
bool is_plain_path(std::string_view raw, std::string_view decoded) {
    for (std::size_t at = raw.find('%'); at != std::string_view::npos; at = raw.find('%', at + 1)) {
        const auto escape = raw.substr(at, 3);
        if (equal_ignoring_case(escape, "%2f") || equal_ignoring_case(escape, "%5c")) return false;
    }
    return std::ranges::none_of(decoded, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

Connection::Connection(ServerState& server, StreamSocket socket, std::string remote)
    : server_(server),
      remote_(std::move(remote)),
      channel_(std::move(socket)),
      body_(channel_, server.clock, server.options.trailers ? &request_.headers : nullptr) {}

boost::asio::awaitable<void> Connection::run() {
    bool more = true;
    while (more) more = co_await serve_one();
    if (must_linger_) co_await linger();
    channel_.close();
}

boost::asio::awaitable<bool> Connection::serve_one() {
    const auto size = co_await read_head();
    if (size == 0) co_return false;
    auto refusal = parse_head(size);
    channel_.consume(size);
    if (refusal) {
        co_await refuse(std::move(*refusal));
        co_return false;
    }

    const auto begun = now();
    request_.received_at = begun;
    auto match = server_.router.find(request_.method, request_.path);
    request_.params = std::move(match.params);
    auto gate = check_gates(match);
    Response response;
    if (gate) {
        response = std::move(*gate);
        // An unread body is never skipped here: it could be meant to become the next request.
        if (!body_.finished()) facts_.keep_alive = false;
    } else {
        response = co_await run_handler(*match.route);
    }
    record(match.route, response.status, begun);
    if (cause_ == Cause::client_left) co_return false;
    const bool more = co_await send(std::move(response));
    co_return more;
}

boost::asio::awaitable<std::size_t> Connection::read_head() {
    const auto& limits = server_.options.limits;
    stage_ = Stage::idle;
    cause_ = Cause::none;
    std::size_t scanned = 0;
    channel_.arm(now() + limits.idle_timeout);
    while (true) {
        if (scanned == 0 && channel_.unread().starts_with("\r\n")) channel_.consume(2);
        const auto unread = channel_.unread();
        if (const auto size = find_head_end(unread, scanned);
            size > 0 && size <= limits.header_bytes_max) {
            channel_.disarm();
            co_return size;
        }
        if (unread.size() >= limits.header_bytes_max) {
            co_await refuse(bad_request("the header is larger than the limit of " +
                                            std::to_string(limits.header_bytes_max) + " bytes",
                                        431, "header-too-large"));
            co_return 0;
        }
        if (auto refusal = check_partial_head(unread, scanned)) {
            co_await refuse(std::move(*refusal));
            co_return 0;
        }
        if (!unread.empty() && stage_ == Stage::idle) {
            stage_ = Stage::head;
            channel_.arm(now() + limits.header_timeout);
        }
        if (stage_ == Stage::idle && server_.stopping) co_return 0;
        scanned = unread.size();
        const auto error = co_await channel_.fill(limits.header_bytes_max);
        if (!error) continue;
        if (stage_ == Stage::head && channel_.expired())
            co_await refuse(bad_request(
                "the header was not complete after " + format_duration(limits.header_timeout), 408,
                "header-timeout"));
        else if (stage_ == Stage::head && error == boost::asio::error::eof)
            co_await refuse(bad_request("the header is incomplete"));
        co_return 0;
    }
}

std::optional<HeadRefusal> Connection::parse_head(std::size_t size) {
    const auto block = channel_.unread().substr(0, size);
    auto check = check_request_head(block);
    if (check.refusal) return std::move(check.refusal);
    facts_ = check.facts;
    head_.headers = std::move(request_.headers);  // back, to reuse its memory
    head_.headers.clear();
    if (auto why = parse_request_head(block, head_); !why.empty())
        return bad_request("the header is malformed: " + why);
    request_.headers = std::move(head_.headers);
    request_.method = head_.method;
    request_.remote = remote_;
    request_.content_length.reset();
    if (facts_.body != BodyKind::chunked) request_.content_length = facts_.length;
    body_.reset(facts_, BodyLimits{0, server_.options.limits.body_timeout,
                                   server_.options.limits.body_rate_min});
    request_.body = &body_;
    facts_.host = {};  // the block goes
    return read_target(head_.target);
}

std::optional<HeadRefusal> Connection::read_target(std::string_view target) {
    if (const auto scheme = target.find("://"); !target.starts_with('/') && scheme != target.npos) {
        const auto path = target.find_first_of("/?", scheme + 3);
        target = path == target.npos ? "/" : target.substr(path);
    }
    const auto question = target.find('?');
    const auto raw_path = target.substr(0, question);
    auto path = percent_decode(raw_path);
    if (!path) return bad_request("the request target has a malformed percent escape");
    if (!is_plain_path(raw_path, *path))
        return bad_request("the request path has an encoded slash or control character");
    request_.path = std::move(*path);
    if (request_.path.empty()) request_.path = "/";
    request_.query.clear();
    auto rest = question == target.npos ? std::string_view{} : target.substr(question + 1);
    while (!rest.empty()) {
        const auto part = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        if (part.empty()) continue;
        const auto equals = std::min(part.find('='), part.size());
        auto name = percent_decode(part.substr(0, equals));
        auto value = percent_decode(part.substr(std::min(part.size(), equals + 1)));
        if (!name || !value) return bad_request("the query has a malformed percent escape");
        request_.query.emplace_back(std::move(*name), std::move(*value));
    }
    return std::nullopt;
}

boost::asio::awaitable<void> Connection::refuse(HeadRefusal refusal) {
    ++server_.malformed;
    facts_ = HeadFacts{};
    facts_.keep_alive = false;
    body_.reset(facts_, BodyLimits{});
    must_linger_ = true;
    request_.method.clear();
    auto response = problem_with_status(refusal.status, refusal.error);
    co_await send(std::move(response));
}

boost::asio::awaitable<Response> Connection::run_handler(const Route& route) {
    stage_ = Stage::handler;
    swept_ = false;
    handler_limit_at_ = route.deadline > Duration::zero() ? request_.received_at + route.deadline
                                                          : TimePoint::max();
    body_.set_limit(route.body_max);
    ++server_.running;
    Response response;
    bool interrupted = false;
    std::string failure;
    try {
        auto work = route.handler(request_);
        response = co_await std::move(work);
    } catch (const boost::system::system_error& error) {
        interrupted = error.code() == boost::asio::error::operation_aborted;
        if (!interrupted) failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    --server_.running;
    stage_ = Stage::write;
    channel_.disarm();
    if (cause_ != Cause::none) co_await boost::asio::this_coro::reset_cancellation_state();
    if (interrupted && cause_ != Cause::none) co_return cancelled_response(route);
    if (interrupted) failure = "an operation was aborted";
    if (!failure.empty()) {
        server_.logger.error("handler_failed", {{"route", route.label}, {"error", failure}});
        co_return problem_response(make_error(Errc::internal, "the request failed unexpectedly"));
    }
    co_return response;
}

boost::asio::awaitable<bool> Connection::write(Channel::Buffers buffers) {
    channel_.arm(now() + server_.options.limits.write_timeout);
    const auto error = co_await channel_.write(buffers);
    channel_.disarm();
    co_return !error;
}

boost::asio::awaitable<bool> Connection::send(Response response) {
    stage_ = Stage::write;
    const bool head_only = request_.method == "HEAD";
    const bool keep = facts_.keep_alive && body_.can_skip() && !server_.refusing;
    if (!keep && (!body_.finished() || !channel_.unread().empty())) must_linger_ = true;
    const auto framing = frame_response(response, facts_, keep);
    const auto& date = server_.date.at(now());
    write_response_head(out_, response, framing, date);

    bool sent = false;
    if (head_only || framing.body == BodyKind::none) {
        const Channel::Buffers buffers{boost::asio::buffer(out_)};
        sent = co_await write(buffers);
    } else if (response.stream) {
        sent = co_await send_stream(response, framing);
    } else if (response.body.size() <= kInlineBodyMax) {
        out_ += response.body;
        const Channel::Buffers buffers{boost::asio::buffer(out_)};
        sent = co_await write(buffers);
    } else {
        const Channel::Buffers buffers{boost::asio::buffer(out_),
                                       boost::asio::buffer(response.body)};
        sent = co_await write(buffers);
    }
    if (!sent) must_linger_ = false;
    if (!sent || !framing.keep_alive) co_return false;
    if (body_.finished()) co_return true;
    const bool skipped = co_await body_.skip();
    co_return skipped;
}

boost::asio::awaitable<bool> Connection::send_stream(Response& response,
                                                     const ResponseFraming& framing) {
    Channel::Buffers buffers{boost::asio::buffer(out_)};
    bool sent = co_await write(buffers);
    std::uint64_t left = framing.length;
    ++server_.running;
    std::string chunk;
    std::size_t chunks = 0;
    while (sent) {
        stage_ = Stage::stream;
        swept_ = false;
        bool complete = false;
        try {
            auto next = co_await response.stream->read();
            complete = next.has_value();
            if (complete) chunk = std::move(*next);
        } catch (const std::exception&) {  // cancelled: the client left, or shutdown
        }
        stage_ = Stage::write;
        // An answer that can not be finished is cut, so that the client sees that it is not whole.
        sent = complete && cause_ == Cause::none &&
               (framing.body != BodyKind::length ||
                (chunk.empty() ? left == 0 : chunk.size() <= left));
        if (!sent || chunk.empty()) break;
        left -= framing.body == BodyKind::length ? chunk.size() : 0;
        if (framing.body == BodyKind::chunked) {
            out_ = chunk_size_line(chunk.size());
            buffers = {boost::asio::buffer(out_), boost::asio::buffer(chunk),
                       boost::asio::buffer("\r\n", 2)};
        } else {
            buffers = {boost::asio::buffer(chunk)};
        }
        sent = co_await write(buffers);
        // Source and socket may both be ready for ever: others get their turn.
        if (sent && ++chunks % kChunksPerTurn == 0)
            co_await boost::asio::post(channel_.executor(), boost::asio::use_awaitable);
    }
    --server_.running;
    if (sent && framing.body == BodyKind::chunked) {
        buffers = {boost::asio::buffer("0\r\n\r\n", 5)};
        sent = co_await write(buffers);
    }
    co_return sent;
}

boost::asio::awaitable<void> Connection::linger() {
    stage_ = Stage::linger;
    channel_.shutdown_send();
    channel_.consume(channel_.unread().size());
    channel_.arm(now() + kLingerMax);
    std::size_t total = 0;
    while (total < kLingerBytesMax) {
        out_.resize(kInlineBodyMax);
        const auto error = co_await channel_.read_into(out_);
        if (error) co_return;
        total += out_.size();
    }
}

void Connection::sweep(TimePoint now) {
    channel_.expire_if_due(now);
    if (stage_ == Stage::handler && now >= handler_limit_at_) cancel_handler(Cause::deadline);
    swept_ = true;
}

bool Connection::wants_watch() const {
    return swept_ && cause_ == Cause::none && body_.finished() &&
           (stage_ == Stage::handler || stage_ == Stage::stream);
}

void Connection::client_left() {
    ++server_.clients_left;
    cancel_handler(Cause::client_left);
}

void Connection::stop_idle() {
    if (stage_ == Stage::idle) channel_.cancel();
}

void Connection::abort() {
    if (stage_ == Stage::handler || stage_ == Stage::stream)
        cancel_handler(Cause::stopping);
    else
        channel_.close();
}

void Connection::cancel_handler(Cause cause) {
    if (cause_ != Cause::none) return;
    cause_ = cause;
    signal_.emit(boost::asio::cancellation_type::terminal);
}

}  // namespace longhaul::net
