#include "longhaul/client/impl/patience.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace longhaul::client {
namespace {

constexpr Duration kLongestPause = std::chrono::seconds(2);

}  // namespace

std::optional<Duration> Patience::next() {
    const auto now = std::chrono::steady_clock::now();
    if (!since_) since_ = now;
    if (now - *since_ >= limit_) return std::nullopt;
    const Duration length = next_;
    next_ = std::min(next_ * 2, kLongestPause);
    return length;
}

bool is_passing(const Error& error) {
    return error.code == Errc::unreachable || error.code == Errc::unavailable ||
           error.code == Errc::timed_out || error.code == Errc::overloaded;
}

boost::asio::awaitable<void> pause(Duration length) {
    auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, length);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace longhaul::client
