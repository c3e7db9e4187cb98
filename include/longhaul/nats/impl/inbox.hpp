// The bounded queue between the threads of nats.c and the executor, one per subscription.
//
// push() may be called on any thread: it keeps the message and posts, nothing else. Everything
// else belongs to the executor.
//   (1) Messages are delivered in the order of push(), a few per turn of the loop.
//   (2) Over a limit the newest is dropped and counted: look-up is truth, this is speed.
//   (3) After close() nothing is delivered, and nothing is posted any more.
#pragma once

#include "longhaul/nats/message.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace longhaul::nats {

struct InboxLimits {
    std::size_t messages_max = 65'536;
    std::size_t bytes_max = std::size_t{64} << 20;
};

class Inbox : public std::enable_shared_from_this<Inbox> {
public:
    // `deliver` gets each message, and how many were dropped since the one before.
    using Deliver = std::function<void(const Incoming& message, std::uint64_t dropped)>;
    Inbox(boost::asio::any_io_executor executor, InboxLimits limits, Deliver deliver);
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;

    void push(Incoming message);
    void close();

    [[nodiscard]] std::uint64_t dropped() const;

private:
    void drain();

    // Constant after construction.
    const boost::asio::any_io_executor executor_;
    const InboxLimits limits_;
    const Deliver deliver_;

    // Shared; guarded by mutex_.
    mutable std::mutex mutex_;
    std::deque<Incoming> messages_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;      // ever
    std::uint64_t dropped_now_ = 0;  // and not yet told
    bool draining_ = false;          // a drain() is posted or runs
    bool closed_ = false;
};

}  // namespace longhaul::nats
