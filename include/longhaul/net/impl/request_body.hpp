// The body of one request, read from its connection as the handler asks for it.
//
// Framing was decided by head_guard.hpp; here it is followed to the byte, so that the next request
// begins where this one ends, or the connection is given up.
#pragma once

#include "longhaul/net/impl/channel.hpp"
#include "longhaul/net/impl/chunked.hpp"
#include "longhaul/net/impl/head_guard.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/peer.hpp"

#include <optional>

namespace longhaul::net {

struct BodyLimits {
    std::uint64_t bytes_max = 0;
    Duration read_timeout{};
    std::uint32_t rate_min = 0;  // bytes a second; 0 = any
};

class RequestBody final : public port::ByteSource {
public:
    // `trailers` of bodies are added to these; nullptr: they are refused.
    RequestBody(Channel& channel, const port::Clock& clock, port::Headers* trailers)
        : channel_(channel), clock_(clock), trailers_(trailers) {}

    // Begins another request's body.
    void reset(const HeadFacts& facts, BodyLimits limits);
    void set_limit(std::uint64_t bytes_max) { limits_.bytes_max = bytes_max; }

    boost::asio::awaitable<Result<std::string>> read() override;

    [[nodiscard]] bool finished() const { return finished_; }
    // True when skip() can end the body soon, so that the connection can be kept.
    [[nodiscard]] bool can_skip() const;
    // Reads what is left. False when the connection must be closed.
    boost::asio::awaitable<bool> skip();

private:
    [[nodiscard]] bool too_slow() const;
    boost::asio::awaitable<Result<std::string>> read_length();
    boost::asio::awaitable<Result<std::string>> read_chunked();
    boost::asio::awaitable<Result<void>> send_continue();
    [[nodiscard]] bool take_trailers();
    [[nodiscard]] Error fail(Error error);
    [[nodiscard]] Error fail(const Channel::ErrorCode& code);

    Channel& channel_;
    const port::Clock& clock_;
    port::Headers* const trailers_;

    // Of the current request.
    HeadFacts facts_{};
    BodyLimits limits_{};
    std::uint64_t received_ = 0;
    Duration waited_{};  // for the client: what the handler does meanwhile is not its fault
    ChunkDecoder decoder_{ChunkDecoder::Extras::refuse};
    bool continue_pending_ = false;
    bool finished_ = true;
    std::optional<Error> failure_{};
};

}  // namespace longhaul::net
