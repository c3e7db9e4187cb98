// with_deadline(), defined. A hand-written race: asio's awaitable_operators move results through
// std::variant and optional in ways that g++ 12 compiles wrongly now and then.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace longhaul::net::detail {

// Shared by the caller, the operation and the clock's wait; the last to end frees it.
struct Race {
    explicit Race(const boost::asio::any_io_executor& executor)
        : changed(executor, boost::asio::steady_timer::time_point::max()) {}

    boost::asio::steady_timer changed;  // never expires: cancelled when the operation ends
    boost::asio::cancellation_signal operation_signal{};
    boost::asio::cancellation_signal clock_signal{};
    std::exception_ptr failure{};
    bool ended = false;
    bool timed_out = false;
};

template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<Result<T>> operation,
                                         std::shared_ptr<std::optional<Result<T>>> out) {
    auto result = co_await std::move(operation);
    out->emplace(std::move(result));
}

// Runs `operation` until its end. True when time was up before. Rethrows what it throws otherwise.
boost::asio::awaitable<bool> race(boost::asio::awaitable<void> operation, port::Clock& clock,
                                  Duration limit);

[[nodiscard]] Error deadline_error(Duration limit);

}  // namespace longhaul::net::detail

namespace longhaul::net {

template <class T>
boost::asio::awaitable<Result<T>> with_deadline(boost::asio::awaitable<Result<T>> operation,
                                                port::Clock& clock, Duration limit) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    auto kept = detail::keep_result<T>(std::move(operation), result);
    const bool timed_out = co_await detail::race(std::move(kept), clock, limit);
    // Whatever it made of being cancelled is no result: an interrupted wait may look like success.
    if (timed_out) co_return detail::deadline_error(limit);
    co_return std::move(**result);
}

}  // namespace longhaul::net
