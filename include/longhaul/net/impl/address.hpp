// Addresses in text: "127.0.0.1:7070", "[::1]:7070", "localhost:7070", "unix:/run/x.sock".
#pragma once

#include "longhaul/base/result.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul::net {

using StreamProtocol = boost::asio::generic::stream_protocol;
using StreamSocket = StreamProtocol::socket;
using StreamEndpoint = StreamProtocol::endpoint;

struct Address {
    bool is_unix = false;
    std::string host{};  // or the path
    std::uint16_t port = 0;
};

// Errc::invalid_argument says what is wrong.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

// Errc::invalid_argument where the host is no numeric address (names must be resolved first).
[[nodiscard]] Result<void> to_endpoint(const Address& address, StreamEndpoint& out);

[[nodiscard]] std::string to_string(const StreamEndpoint& endpoint);  // "127.0.0.1:80" | "unix"

// A listening socket: bound, for a unix socket with mode 0600 and in place of a file that a dead
// server left. Errc::unavailable names the address and why.
[[nodiscard]] Result<int> open_listener(std::string_view text, const Address& address,
                                        const StreamEndpoint& endpoint);

}  // namespace longhaul::net
