// Port: HTTP calls to another component. Every one goes through here, so that the simulator can
// lose, delay and cut it.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::port {

using Headers = std::vector<std::pair<std::string, std::string>>;

// A stream of bytes, pulled in chunks by one reader.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    // The next chunk; empty at the end. An error ends the stream. At most one call at a time.
    virtual boost::asio::awaitable<Result<std::string>> read() = 0;
};

struct PeerRequest {
    std::string method;  // "POST"
    std::string target;  // "/v1/instances:take"
    Headers headers{};   // Content-Length and Host are set by the Peer
    std::string body{};
    // Where set, sent after `body` as the rest of `content_length` bytes.
    std::unique_ptr<ByteSource> body_stream{};
    std::uint64_t stream_bytes = 0;
};

struct PeerResponse {
    int status = 0;
    Headers headers{};
    std::unique_ptr<ByteSource> body{};  // never null; its end frees the connection

    // The first header of that name (case-insensitive) or "".
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

class Peer {
public:
    virtual ~Peer() = default;

    // `address` is "127.0.0.1:7090" or "unix:/run/x.sock". Returns once the response header is
    // there. The limit covers connect, send and the header; each read of the body has the same
    // limit anew. Errc::unreachable: certainly not sent. Errc::timed_out, unavailable: unsure.
    virtual boost::asio::awaitable<Result<PeerResponse>> call(std::string address,
                                                              PeerRequest request,
                                                              Duration limit) = 0;
};

// The whole body, at most `bytes_max` (Errc::too_large names the limit).
boost::asio::awaitable<Result<std::string>> read_all(ByteSource& source, std::uint64_t bytes_max);

}  // namespace longhaul::port
