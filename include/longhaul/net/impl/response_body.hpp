// The body of one response, as the client's caller pulls it. Its end gives the connection back.
#pragma once

#include "longhaul/net/impl/chunked.hpp"
#include "longhaul/net/impl/client_pool.hpp"
#include "longhaul/net/impl/head_guard.hpp"
#include "longhaul/port/peer.hpp"

#include <memory>

namespace longhaul::net {

class ResponseBody final : public port::ByteSource {
public:
    // `reusable`: the connection may serve another call after this body. A body that is there
    // already gives it back at once.
    ResponseBody(std::shared_ptr<ClientPool> pool, ClientConnectionPtr connection,
                 const HeadFacts& facts, bool reusable, Duration read_limit);

    boost::asio::awaitable<Result<std::string>> read() override;

private:
    boost::asio::awaitable<Result<std::string>> read_plain();
    boost::asio::awaitable<Result<std::string>> read_chunked();
    [[nodiscard]] std::uint64_t left() const;
    [[nodiscard]] Error fail(const Channel::ErrorCode& code);
    void finish();

    std::shared_ptr<ClientPool> pool_;  // outlives the HttpPeer while bodies are read
    ClientConnectionPtr connection_;    // nullptr once finished or failed
    const HeadFacts facts_;
    const bool reusable_;
    const Duration read_limit_;

    std::string ready_;  // a short body that came with its head
    std::uint64_t received_ = 0;
    ChunkDecoder decoder_{ChunkDecoder::Extras::drop};
    Error failure_{};
    bool failed_ = false;
};

}  // namespace longhaul::net
