#include "longhaul/net/impl/response_body.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace longhaul::net {
namespace {

constexpr std::size_t kPieceMax = 64 * 1024;

}  // namespace

ResponseBody::ResponseBody(std::shared_ptr<ClientPool> pool, ClientConnectionPtr connection,
                           const HeadFacts& facts, bool reusable, Duration read_limit)
    : pool_(std::move(pool)),
      connection_(std::move(connection)),
      facts_(facts),
      reusable_(reusable),
      read_limit_(read_limit) {
    const auto unread = connection_->channel.unread();
    if (facts_.body == BodyKind::none) {
        finish();
    } else if (facts_.body == BodyKind::length && facts_.length <= unread.size()) {
        ready_ = unread.substr(0, static_cast<std::size_t>(facts_.length));
        connection_->channel.consume(ready_.size());
        finish();
    }
}

boost::asio::awaitable<Result<std::string>> ResponseBody::read() {
    if (failed_) co_return failure_;
    if (!connection_) co_return std::exchange(ready_, {});
    connection_->arm(monotonic_now() + read_limit_);
    if (facts_.body == BodyKind::chunked) {
        auto piece = co_await read_chunked();
        co_return piece;
    }
    auto piece = co_await read_plain();
    co_return piece;
}

std::uint64_t ResponseBody::left() const {
    return facts_.body == BodyKind::length ? facts_.length - received_ : kPieceMax;
}

boost::asio::awaitable<Result<std::string>> ResponseBody::read_plain() {
    auto& channel = connection_->channel;
    std::string piece;
    if (const auto unread = channel.unread(); !unread.empty()) {
        piece = unread.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(left(), unread.size())));
        channel.consume(piece.size());
    } else {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left(), kPieceMax)));
        const auto error = co_await channel.read_into(piece);
        if (error == boost::asio::error::eof && facts_.body == BodyKind::until_close) {
            finish();
            co_return std::string();
        }
        if (error) co_return fail(error);
    }
    received_ += piece.size();
    if (facts_.body == BodyKind::length && left() == 0) finish();
    co_return piece;
}

boost::asio::awaitable<Result<std::string>> ResponseBody::read_chunked() {
    auto& channel = connection_->channel;
    std::string piece;
    while (true) {
        const auto taken = decoder_.feed(channel.unread(), piece, kPieceMax);
        if (!taken) {
            connection_.reset();
            failed_ = true;
            failure_ =
                make_error(Errc::unavailable, "a malformed answer: " + taken.error().message);
            co_return failure_;
        }
        channel.consume(*taken);
        if (decoder_.done()) {
            finish();
            co_return piece;
        }
        if (!piece.empty()) co_return piece;
        const auto error = co_await channel.fill(kPieceMax);
        if (error) co_return fail(error);
    }
}

Error ResponseBody::fail(const Channel::ErrorCode& code) {
    const auto connection = std::exchange(connection_, nullptr);
    failed_ = true;
    if (connection->channel.expired())
        failure_ =
            make_error(Errc::timed_out, "nothing more of the answer from " + connection->address +
                                            " for " + format_duration(read_limit_));
    else
        failure_ = make_error(Errc::unavailable, "the answer from " + connection->address +
                                                     " broke off: " + code.message());
    return failure_;
}

void ResponseBody::finish() {
    auto connection = std::exchange(connection_, nullptr);
    if (reusable_ && facts_.keep_alive) pool_->give(std::move(connection));
}

}  // namespace longhaul::net
