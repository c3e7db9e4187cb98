// A condition that coroutines of one executor wait for: `while (!ready()) co_await wakeup.wait();`
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace longhaul::runtime_agent_ext {

class Wakeup {
public:
    explicit Wakeup(const boost::asio::any_io_executor& executor)
        : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

    void notify_all() { timer_.cancel(); }

    // Until the next notify_all().
    boost::asio::awaitable<void> wait() {
        boost::system::error_code ignored;
        co_await timer_.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }

private:
    boost::asio::steady_timer timer_;
};

}  // namespace longhaul::runtime_agent_ext
