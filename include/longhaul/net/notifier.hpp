// A condition that coroutines wait for: notify_all() wakes every waiter that waits now.
//
// Single executor, not thread-safe. The usual loop: `while (!ready()) co_await notifier.wait();`
#pragma once

#include "longhaul/base/time.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <list>
#include <memory>

namespace longhaul::port {
class Clock;
}

namespace longhaul::net {

class Notifier {
public:
    explicit Notifier(boost::asio::any_io_executor executor);
    ~Notifier();  // wakes whoever still waits
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void notify_all();

    // Until the next notify_all(). Ends early, without throwing, when the waiter is cancelled.
    boost::asio::awaitable<void> wait();

    // The same, or until `until`. True if notified.
    boost::asio::awaitable<bool> wait_until(port::Clock& clock, TimePoint until);

    [[nodiscard]] std::size_t waiting() const;

private:
    struct Waiter;
    boost::asio::any_io_executor executor_;
    std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace longhaul::net
