// The handlers of routes/table.cpp, one file each: decode, ask, encode.
#pragma once

#include "host_agent/routes/table.hpp"

namespace longhaul::host_agent::routes {

using Answer = boost::asio::awaitable<net::Response>;

inline constexpr std::uint64_t kMessageMax = 4u << 20;  // bytes of one control message

Answer take(const Handles& handles, net::Request& request);
Answer release(const Handles& handles, net::Request& request);
Answer status(const Handles& handles, net::Request& request);
Answer kill(const Handles& handles, net::Request& request);
Answer ack(const Handles& handles, net::Request& request);
Answer result(const Handles& handles, net::Request& request);
Answer logs(const Handles& handles, net::Request& request);
Answer package(const Handles& handles, net::Request& request);
Answer state(const Handles& handles, net::Request& request);
Answer prepare(const Handles& handles, net::Request& request);
Answer drain_get(const Handles& handles, net::Request& request);
Answer drain_post(const Handles& handles, net::Request& request);
Answer instance_status(const Handles& handles, net::Request& request);

// The body as one message of the wire.
template <class Message>
boost::asio::awaitable<Result<Message>> read_message(net::Request& request) {
    auto text = co_await port::read_all(*request.body, kMessageMax);
    if (!text) co_return text.error();
    co_return wire::decode<Message>(*text);
}

// {id} and {attempt} of the path.
[[nodiscard]] Result<wire::AttemptKey> key_of(const net::Request& request);

// A part of something that has `size` bytes.
struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool partial = false;
};
// What "Range: bytes=…" asks for; everything where there is none, or more than one.
// Errc::invalid_argument of type "range" where it lies behind the end.
[[nodiscard]] Result<Range> range_of(const net::Request& request, std::uint64_t size);

// Status, headers and body for `range`; `whole` is the size of all.
[[nodiscard]] net::Response range_response(const Range& range, std::uint64_t whole,
                                           std::unique_ptr<port::ByteSource> body);

}  // namespace longhaul::host_agent::routes
