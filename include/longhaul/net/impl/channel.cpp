#include "longhaul/net/impl/channel.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <algorithm>
#include <cstring>

namespace longhaul::net {
namespace {

constexpr std::size_t kBufferFirst = 4096;

// What is left of `buffers` after `done` bytes.
Channel::Buffers skip(Channel::Buffers buffers, std::size_t done) {
    for (auto& buffer : buffers) {
        const auto part = std::min(done, buffer.size());
        buffer += part;
        done -= part;
    }
    return buffers;
}

}  // namespace

Channel::Channel(StreamSocket socket) : socket_(std::move(socket)) {
    ErrorCode ignored;
    socket_.non_blocking(true, ignored);
    const int on = 1;
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

boost::asio::awaitable<Channel::ErrorCode> Channel::connect(StreamEndpoint endpoint) {
    ErrorCode error;
    if (expired_) co_return boost::asio::error::operation_aborted;
    co_await socket_.async_connect(endpoint,
                                   boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (!error) socket_.remote_endpoint(error);
    co_return error;
}

void Channel::consume(std::size_t size) {
    LH_ASSERT(size <= end_ - begin_);
    begin_ += size;
    if (begin_ == end_) begin_ = end_ = 0;
}

boost::asio::awaitable<Channel::ErrorCode> Channel::fill(std::size_t max) {
    LH_ASSERT(end_ - begin_ < max);
    if (expired_) co_return boost::asio::error::operation_aborted;
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size())
        buffer_.resize(std::min(max, std::max(kBufferFirst, buffer_.size() * 2)));
    const auto room =
        boost::asio::buffer(buffer_.data() + end_, std::min(buffer_.size(), max) - end_);
    ErrorCode error;
    const auto size = co_await socket_.async_read_some(
        room, boost::asio::redirect_error(boost::asio::use_awaitable, error));
    end_ += size;
    co_return error;
}

boost::asio::awaitable<Channel::ErrorCode> Channel::read_into(std::string& out) {
    LH_ASSERT(begin_ == end_);
    if (expired_) co_return boost::asio::error::operation_aborted;
    const auto room = boost::asio::buffer(out.data(), out.size());
    ErrorCode error;
    const auto size = co_await socket_.async_read_some(
        room, boost::asio::redirect_error(boost::asio::use_awaitable, error));
    out.resize(size);
    co_return error;
}

boost::asio::awaitable<Channel::ErrorCode> Channel::write(Buffers buffers) {
    if (expired_) co_return boost::asio::error::operation_aborted;
    const auto total = boost::asio::buffer_size(buffers);
    ErrorCode error;
    auto done = socket_.write_some(buffers, error);
    if (error == boost::asio::error::would_block || error == boost::asio::error::try_again)
        error = {};
    if (error || done == total) co_return error;
    const auto rest = skip(buffers, done);
    co_await boost::asio::async_write(
        socket_, rest, boost::asio::redirect_error(boost::asio::use_awaitable, error));
    co_return error;
}

void Channel::arm(TimePoint limit_at) {
    limit_at_ = limit_at;
    expired_ = false;
}

void Channel::expire_if_due(TimePoint now) {
    if (now < limit_at_) return;
    limit_at_ = TimePoint::max();
    expired_ = true;
    cancel();
}

void Channel::cancel() {
    ErrorCode ignored;
    socket_.cancel(ignored);
}

void Channel::shutdown_send() {
    ErrorCode ignored;
    socket_.shutdown(StreamSocket::shutdown_send, ignored);
}

void Channel::close() {
    ErrorCode ignored;
    socket_.close(ignored);
}

}  // namespace longhaul::net
