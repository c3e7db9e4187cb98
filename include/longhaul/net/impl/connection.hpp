// One client of a Server: reads requests one after the other, hands each to its handler, writes the
// answer.
//
// run() is one coroutine and everything but sweep(), client_left(), stop_idle() and abort() happens
// in it. A handler runs inside it too, so a plain request starts no task; to end a handler (its
// deadline, a client that left, shutdown) the whole coroutine gets asio's cancellation, and if an
// answer is still to be written the cancellation is reset after the handler's end.
#pragma once

#include "longhaul/net/impl/channel.hpp"
#include "longhaul/net/impl/head_guard.hpp"
#include "longhaul/net/impl/head_parser.hpp"
#include "longhaul/net/impl/request_body.hpp"
#include "longhaul/net/impl/response_head.hpp"
#include "longhaul/net/impl/server_state.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <optional>
#include <string>

namespace longhaul::net {

class Connection {
public:
    Connection(ServerState& server, StreamSocket socket, std::string remote);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Until the connection is closed. REQUIRES to be spawned with slot().
    boost::asio::awaitable<void> run();
    [[nodiscard]] boost::asio::cancellation_slot slot() { return signal_.slot(); }

    // Ends what is over its time.
    void sweep(TimePoint now);
    // True when nobody else would notice that the client leaves: it awaits a handler or a stream.
    [[nodiscard]] bool wants_watch() const;
    [[nodiscard]] bool is_idle() const { return stage_ == Stage::idle; }
    [[nodiscard]] int fd() { return channel_.fd(); }
    void client_left();
    void stop_idle();  // ends it if it is between requests
    void abort();      // ends its handler, and then itself

private:
    enum class Stage : std::uint8_t { idle, head, handler, stream, write, linger };
    enum class Cause : std::uint8_t { none, deadline, client_left, stopping };

    boost::asio::awaitable<bool> serve_one();
    boost::asio::awaitable<std::size_t> read_head();
    boost::asio::awaitable<void> refuse(HeadRefusal refusal);
    std::optional<HeadRefusal> parse_head(std::size_t size);
    std::optional<HeadRefusal> read_target(std::string_view target);

    // The dispatcher: route, gates, handler, errors.
    std::optional<Response> check_gates(const Router::Match& match);
    boost::asio::awaitable<Response> run_handler(const Route& route);
    [[nodiscard]] Response cancelled_response(const Route& route) const;
    void record(const Route* route, int status, TimePoint begun);

    boost::asio::awaitable<bool> send(Response response);
    boost::asio::awaitable<bool> send_stream(Response& response, const ResponseFraming& framing);
    boost::asio::awaitable<bool> write(Channel::Buffers buffers);
    boost::asio::awaitable<void> linger();

    void cancel_handler(Cause cause);
    [[nodiscard]] TimePoint now() const { return server_.clock.now(); }

    // Constant after construction.
    ServerState& server_;
    const std::string remote_;

    Channel channel_;
    boost::asio::cancellation_signal signal_;
    Stage stage_ = Stage::idle;
    bool must_linger_ = false;  // bytes may be unread: closing at once would cut our answer short

    // Of the current request.
    ParsedHead head_;
    HeadFacts facts_;
    Request request_;
    RequestBody body_;
    Cause cause_ = Cause::none;
    TimePoint handler_limit_at_ = TimePoint::max();
    bool swept_ = false;  // the handler has run for a whole sweep

    std::string out_;  // reused
};

}  // namespace longhaul::net
