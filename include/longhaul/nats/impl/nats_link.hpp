// One connection to NATS at a time, for ever: the only file where nats.c and its threads enter.
//
// A thread of its own makes every call into nats.c, since any of them may block: connecting, and
// writing to a server that has stopped reading. What nats.c calls back does nothing but copy a
// message into an Inbox, or wake that thread. nats.c's own reconnecting is switched off: it keeps
// publishes in a buffer and says they were sent, gives up, and its subscriptions have been seen to
// stay dead. Here a lost connection is a new one, with everything subscribed anew.
//   (1) `up` is told once the server has taken in all subscriptions: what is published after it is
//       heard.
//   (2) A message that was taken may be lost with the connection, never repeated.
//   (3) After join() nothing is called back, and no thread of this link is left.
//
// All methods may be called on any thread and never block, but for join().
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/nats/impl/inbox.hpp"
#include "longhaul/nats/message.hpp"
#include "longhaul/nats/nats_options.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace longhaul::nats {

// Called on the link's thread; each must only post.
struct LinkEvents {
    std::function<void(std::string url, std::uint64_t payload_max)> up;
    std::function<void(std::string why)> down;    // the connection that was up is lost
    std::function<void(std::string why)> failed;  // a try to connect
    std::function<void()> missed;                 // a subscription was renewed, or nats.c dropped
    std::function<void()> ended;                  // after stop(): only join() is left to do
};

struct LinkCounters {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;    // taken, but not sent before the connection was lost
    std::uint64_t errors = 0;  // that nats.c or the server told
};

class NatsLink {
public:
    NatsLink(NatsOptions options, LinkEvents events);
    ~NatsLink();  // REQUIRES join() has returned, or start() was never called
    NatsLink(const NatsLink&) = delete;
    NatsLink& operator=(const NatsLink&) = delete;

    void start();

    // Errc::unavailable over what may wait for the socket.
    [[nodiscard]] Result<void> publish(NatsMessage message);
    // From now on, over every connection, until unsubscribe().
    void subscribe(std::uint64_t id, std::string pattern, std::shared_ptr<Inbox> inbox);
    void unsubscribe(std::uint64_t id);
    // The server is told anew.
    void renew(std::uint64_t id);
    // The connection is given up for a new one.
    void reconnect(std::string why);

    // Sends what was taken, then closes. Takes at most one connect or write timeout.
    void stop();
    void join();

    [[nodiscard]] LinkCounters counters() const;

private:
    struct Impl;
    const std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::nats
