#include "longhaul/net/impl/request_body.hpp"

#include "longhaul/net/impl/http_text.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace longhaul::net {
namespace {

constexpr std::size_t kPieceMax = 64 * 1024;
constexpr std::size_t kSkipMax = 64 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void RequestBody::reset(const HeadFacts& facts, BodyLimits limits) {
    facts_ = facts;
    limits_ = limits;
    received_ = 0;
    waited_ = {};
    using Extras = ChunkDecoder::Extras;
    decoder_ = ChunkDecoder{trailers_ != nullptr ? Extras::keep_trailers : Extras::refuse};
    continue_pending_ = facts.expects_continue;
    finished_ = facts.body == BodyKind::none;
    failure_.reset();
}

boost::asio::awaitable<Result<std::string>> RequestBody::read() {
    if (failure_) co_return *failure_;
    if (finished_) co_return std::string();
    const TimePoint begun = clock_.now();
    channel_.arm(begun + limits_.read_timeout);
    if (continue_pending_) {
        auto sent = co_await send_continue();
        if (!sent) co_return sent.error();
    }
    Result<std::string> piece{std::string()};
    if (facts_.body == BodyKind::length)
        piece = co_await read_length();
    else
        piece = co_await read_chunked();
    channel_.disarm();
    waited_ += clock_.now() - begun;
    if (piece && !finished_ && too_slow())
        co_return fail(make_error(
            Errc::invalid_argument,
            "the body came with less than " + std::to_string(limits_.rate_min) + " bytes a second",
            "body-timeout"));
    co_return piece;
}

bool RequestBody::too_slow() const {
    if (waited_ <= limits_.read_timeout) return false;
    const double seconds = std::chrono::duration<double>(waited_).count();
    return static_cast<double>(received_) < limits_.rate_min * seconds;
}

boost::asio::awaitable<Result<void>> RequestBody::send_continue() {
    continue_pending_ = false;
    if (!channel_.unread().empty()) co_return Result<void>{};  // the client did not wait
    const Channel::Buffers buffers{boost::asio::buffer(kContinue)};
    const auto error = co_await channel_.write(buffers);
    if (error) co_return fail(error);
    co_return Result<void>{};
}

boost::asio::awaitable<Result<std::string>> RequestBody::read_length() {
    const auto left = facts_.length - received_;
    std::string piece;
    if (const auto unread = channel_.unread(); !unread.empty()) {
        piece = unread.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(
                                     left, std::min(unread.size(), kPieceMax))));
        channel_.consume(piece.size());
    } else {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceMax)));
        const auto error = co_await channel_.read_into(piece);
        if (error) co_return fail(error);
    }
    received_ += piece.size();
    finished_ = received_ == facts_.length;
    co_return piece;
}

boost::asio::awaitable<Result<std::string>> RequestBody::read_chunked() {
    std::string piece;
    while (true) {
        auto taken = decoder_.feed(channel_.unread(), piece, kPieceMax);
        if (!taken) co_return fail(taken.error());
        channel_.consume(*taken);
        received_ += piece.size();
        if (received_ > limits_.bytes_max)
            co_return fail(make_error(Errc::too_large,
                                      "the body is larger than the limit of " +
                                          std::to_string(limits_.bytes_max) + " bytes",
                                      "payload-too-large"));
        finished_ = decoder_.done();
        if (finished_ && !take_trailers())
            co_return fail(make_error(Errc::invalid_argument, "a trailer of the body is malformed",
                                      "invalid-request"));
        if (finished_ || !piece.empty()) co_return piece;
        const auto error = co_await channel_.fill(kPieceMax);
        if (error) co_return fail(error);
    }
}

// False where one is no header.
bool RequestBody::take_trailers() {
    std::string_view lines = decoder_.trailers();
    while (!lines.empty()) {
        const auto line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(line.size() + 1);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
        trailers_->emplace_back(line.substr(0, colon), trim_blanks(line.substr(colon + 1)));
    }
    return true;
}

Error RequestBody::fail(Error error) {
    failure_ = error;
    return error;
}

Error RequestBody::fail(const Channel::ErrorCode& code) {
    if (channel_.expired())
        return fail(
            make_error(Errc::invalid_argument,
                       "no byte of the body came for " + format_duration(limits_.read_timeout),
                       "body-timeout"));
    if (code == boost::asio::error::eof) {
        const auto of = facts_.body == BodyKind::length
                            ? " of " + std::to_string(facts_.length) + " bytes"
                            : " bytes, before its last chunk";
        return fail(make_error(Errc::invalid_argument,
                               "the body ended after " + std::to_string(received_) + of,
                               "incomplete-body"));
    }
    return fail(make_error(Errc::cancelled, "the client left: " + code.message()));
}

bool RequestBody::can_skip() const {
    if (failure_ || continue_pending_) return false;
    return finished_ || (facts_.body == BodyKind::length && facts_.length - received_ <= kSkipMax);
}

boost::asio::awaitable<bool> RequestBody::skip() {
    if (!can_skip()) co_return false;
    while (!finished_) {
        auto piece = co_await read();
        if (!piece) co_return false;
    }
    co_return true;
}

}  // namespace longhaul::net
