#include "longhaul/nats/impl/inbox.hpp"

#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace longhaul::nats {
namespace {

// Delivered per turn of the loop, so that a flood lets other work in between.
constexpr int kDeliveriesPerTurn = 64;

}  // namespace

Inbox::Inbox(boost::asio::any_io_executor executor, InboxLimits limits, Deliver deliver)
    : executor_(std::move(executor)), limits_(limits), deliver_(std::move(deliver)) {}

void Inbox::push(Incoming message) {
    const std::lock_guard lock{mutex_};
    if (closed_) return;
    if (messages_.size() >= limits_.messages_max || bytes_ + message.bytes() > limits_.bytes_max) {
        ++dropped_;
        ++dropped_now_;
        return;
    }
    bytes_ += message.bytes();
    messages_.push_back(std::move(message));
    if (std::exchange(draining_, true)) return;
    // Under the lock: after close() has had it, nobody posts, and the executor may go.
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void Inbox::drain() {
    for (int count = 0; count < kDeliveriesPerTurn; ++count) {
        std::optional<Incoming> message;
        std::uint64_t dropped = 0;
        {
            const std::lock_guard lock{mutex_};
            if (closed_ || messages_.empty()) {
                draining_ = false;
                return;
            }
            message = std::move(messages_.front());
            messages_.pop_front();
            bytes_ -= message->bytes();
            dropped = std::exchange(dropped_now_, 0);
        }
        deliver_(*message, dropped);
    }
    const std::lock_guard lock{mutex_};
    if (closed_) return;
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void Inbox::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    messages_.clear();
    bytes_ = 0;
}

std::uint64_t Inbox::dropped() const {
    const std::lock_guard lock{mutex_};
    return dropped_;
}

}  // namespace longhaul::nats
