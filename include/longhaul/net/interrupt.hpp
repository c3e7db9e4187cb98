// interruptible(): an operation, or its interruption, whichever is first.
//
// The operation is cancelled (terminal) when it is interrupted and its end is awaited, so nothing
// of it runs on. Single executor, not thread-safe.
#pragma once

#include "longhaul/net/deadline.hpp"
#include "longhaul/net/notifier.hpp"

namespace longhaul::net {

// Shared by who may interrupt and by what is interrupted; for one operation.
class Interruption {
public:
    explicit Interruption(boost::asio::any_io_executor executor)
        : raised_now_(std::move(executor)) {}

    void raise() {
        raised_ = true;
        raised_now_.notify_all();
    }

    // Ends early, without throwing, when the waiter is cancelled.
    static boost::asio::awaitable<void> wait(std::shared_ptr<Interruption> self) {
        if (!self->raised_) co_await self->raised_now_.wait();
    }

private:
    bool raised_ = false;
    Notifier raised_now_;
};

namespace detail {

// Runs `operation` until its end. True when `other` had ended before. Rethrows what it throws
// otherwise.
boost::asio::awaitable<bool> race_with(boost::asio::awaitable<void> operation,
                                       boost::asio::awaitable<void> other);

}  // namespace detail

// The operation's own result, or Errc::unavailable when it was interrupted first.
template <class T>
boost::asio::awaitable<Result<T>> interruptible(boost::asio::awaitable<Result<T>> operation,
                                                std::shared_ptr<Interruption> interruption) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    auto kept = detail::keep_result<T>(std::move(operation), result);
    auto interrupted = Interruption::wait(interruption);
    const bool first = co_await detail::race_with(std::move(kept), std::move(interrupted));
    if (first) co_return make_error(Errc::unavailable, "interrupted");
    co_return std::move(**result);
}

}  // namespace longhaul::net
