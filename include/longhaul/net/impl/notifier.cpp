#include "longhaul/net/notifier.hpp"

#include "longhaul/port/clock.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>

namespace longhaul::net {

// A timer that never expires; it is cancelled to wake its waiter.
struct Notifier::Waiter {
    explicit Waiter(const boost::asio::any_io_executor& executor)
        : timer(executor, boost::asio::steady_timer::time_point::max()) {}

    // Takes the waiter out of its list when its coroutine ends or is destroyed.
    struct Link {
        Link(Notifier& owner, std::shared_ptr<Waiter> linked)
            : waiter(std::move(linked)), list(owner) {
            waiter->place = list.waiters_.insert(list.waiters_.end(), waiter);
            waiter->linked = true;
        }
        Link(const Link&) = delete;
        Link& operator=(const Link&) = delete;
        ~Link() {
            if (waiter->linked) list.waiters_.erase(waiter->place);
        }
        std::shared_ptr<Waiter> waiter;
        Notifier& list;  // touched only while linked, so the Notifier may end first
    };

    boost::asio::steady_timer timer;
    boost::asio::cancellation_signal clock_signal{};  // of wait_until's clock
    std::list<std::shared_ptr<Waiter>>::iterator place{};
    bool linked = false;
    bool notified = false;
    bool timed_out = false;
};

Notifier::Notifier(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

Notifier::~Notifier() { notify_all(); }

void Notifier::notify_all() {
    auto woken = std::move(waiters_);
    waiters_.clear();
    for (auto& waiter : woken) {
        waiter->linked = false;
        waiter->notified = true;
        waiter->timer.cancel();
    }
}

boost::asio::awaitable<void> Notifier::wait() {
    const Waiter::Link link(*this, std::make_shared<Waiter>(executor_));
    boost::system::error_code ignored;
    co_await link.waiter->timer.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
}

boost::asio::awaitable<bool> Notifier::wait_until(port::Clock& clock, TimePoint until) {
    if (clock.now() >= until) co_return false;
    const Waiter::Link link(*this, std::make_shared<Waiter>(executor_));
    const auto waiter = link.waiter;
    // Ends with the clock's wait, which is cancelled below; the Clock outlives everything.
    boost::asio::co_spawn(executor_, clock.wait_until(until),
                          boost::asio::bind_cancellation_slot(waiter->clock_signal.slot(),
                                                              [waiter](std::exception_ptr) {
                                                                  waiter->timed_out = true;
                                                                  waiter->timer.cancel();
                                                              }));
    boost::system::error_code ignored;
    if (!waiter->timed_out)
        co_await waiter->timer.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    if (!waiter->timed_out) waiter->clock_signal.emit(boost::asio::cancellation_type::terminal);
    co_return waiter->notified;
}

std::size_t Notifier::waiting() const { return waiters_.size(); }

}  // namespace longhaul::net
