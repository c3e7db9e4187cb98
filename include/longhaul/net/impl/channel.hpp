// One HTTP connection's socket with its unread bytes and a time limit, for server and client.
//
// Runs on the socket's executor. The limit is no timer of its own: whoever owns channels calls
// expire_if_due() now and then, so a request arms and disarms for the price of an assignment.
#pragma once

#include "longhaul/base/time.hpp"
#include "longhaul/net/impl/address.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <array>
#include <string>
#include <string_view>

namespace longhaul::net {

class Channel {
public:
    using ErrorCode = boost::system::error_code;
    using Buffers = std::array<boost::asio::const_buffer, 3>;

    // The socket is open; it becomes non-blocking, and without Nagle's delay.
    explicit Channel(StreamSocket socket);
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // REQUIRES a socket that was opened for the endpoint's protocol. One that could not be made
    // whole (a unix socket's full queue) is an error here, not at the first write.
    boost::asio::awaitable<ErrorCode> connect(StreamEndpoint endpoint);

    // Bytes that were read and not consumed. Valid until the next fill().
    [[nodiscard]] std::string_view unread() const {
        return std::string_view(buffer_).substr(begin_, end_ - begin_);
    }
    void consume(std::size_t size);

    // Adds at least one byte to unread(), of which there are at most `max`. REQUIRES room.
    boost::asio::awaitable<ErrorCode> fill(std::size_t max);
    // Reads some bytes straight into `out`, which it shortens. REQUIRES unread() to be empty.
    boost::asio::awaitable<ErrorCode> read_into(std::string& out);
    // Writes all; without suspending where the kernel takes it at once.
    boost::asio::awaitable<ErrorCode> write(Buffers buffers);

    // An operation that is not done by then ends with operation_aborted, and expired(), and so do
    // later ones until the next arm().
    void arm(TimePoint limit_at);
    void disarm() { limit_at_ = TimePoint::max(); }
    [[nodiscard]] TimePoint limit_at() const { return limit_at_; }
    void expire_if_due(TimePoint now);
    [[nodiscard]] bool expired() const { return expired_; }

    void cancel();  // ends a running operation
    void shutdown_send();
    void close();

    [[nodiscard]] boost::asio::any_io_executor executor() { return socket_.get_executor(); }
    [[nodiscard]] int fd() { return socket_.native_handle(); }
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }

private:
    StreamSocket socket_;
    std::string buffer_;  // unread bytes are [begin_, end_)
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    TimePoint limit_at_ = TimePoint::max();
    bool expired_ = false;
};

}  // namespace longhaul::net
