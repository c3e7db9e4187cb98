// Peer over HTTP/1.1: TCP and unix sockets, with a small pool of idle connections per address.
//
// A request that fails on a reused connection before any byte of the answer came, and has no
// streamed body, is sent once more on a fresh one, if its method or our protocol makes that safe:
// all calls between components are idempotent by (invocation, attempt, token).
#pragma once

#include "longhaul/port/peer.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace longhaul::net {

struct ClientOptions {
    std::string secret{};  // sent as "Authorization: Bearer …" unless given in the call
    std::size_t idle_per_address_max = 64;
    Duration idle_timeout = std::chrono::seconds(60);
    std::uint32_t header_bytes_max = 64 * 1024;
    // False where a POST may not be idempotent (the public API): it is then never sent twice.
    bool repeat_posts = true;
};

class HttpPeer final : public port::Peer {
public:
    HttpPeer(boost::asio::any_io_executor executor, ClientOptions options);
    ~HttpPeer() override;

    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration limit) override;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with response bodies, which return their connections
};

}  // namespace longhaul::net
