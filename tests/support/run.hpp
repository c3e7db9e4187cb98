// Runs coroutines to an end in a test: on virtual time, or on the real clock.
#pragma once

#include "longhaul/base/assert.hpp"
#include "tests/support/fake_clock.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace longhaul::test {

// Polls `context` and moves `clock` to its next wake-up, again and again, until `done()` (asked
// after every handler) or until `limit` of virtual time has passed. False if nothing is left that
// could make it true, or at the limit. For work on this thread only: it does not wait for others.
[[nodiscard]] bool run_until(boost::asio::io_context& context, FakeClock& clock,
                             const std::function<bool()>& done,
                             Duration limit = std::chrono::hours{24});

// Lets `span` of virtual time pass, with everything that happens in it.
void run_for(boost::asio::io_context& context, FakeClock& clock, Duration span);

// Polls until no handler is ready, at the present virtual time.
void settle(boost::asio::io_context& context);

namespace detail {

template <class T>
struct Outcome {
    std::optional<T> value;
    std::exception_ptr failure;
    bool ended = false;
};

template <class T>
void start(boost::asio::io_context& context, boost::asio::awaitable<T> task, Outcome<T>& outcome) {
    boost::asio::co_spawn(context, std::move(task),
                          [&outcome](std::exception_ptr failure, T value) {
                              outcome.failure = failure;
                              if (!failure) {
                                  outcome.value.emplace(std::move(value));
                              }
                              outcome.ended = true;
                          });
}

template <class T>
T take(Outcome<T>& outcome) {
    LH_ASSERT(outcome.ended);
    if (outcome.failure) {
        std::rethrow_exception(outcome.failure);
    }
    return std::move(*outcome.value);
}

}  // namespace detail

// The task's value; aborts if it does not end within `limit` of virtual time.
template <class T>
T run_task(boost::asio::io_context& context, FakeClock& clock, boost::asio::awaitable<T> task,
           Duration limit = std::chrono::hours{24}) {
    detail::Outcome<T> outcome;
    detail::start(context, std::move(task), outcome);
    const bool ended = run_until(
        context, clock, [&outcome] { return outcome.ended; }, limit);
    LH_ASSERT(ended);
    return detail::take(outcome);
}

// The task's value, on the real clock and with other threads: blocks until the task has ended.
template <class T>
T run_task(boost::asio::io_context& context, boost::asio::awaitable<T> task) {
    detail::Outcome<T> outcome;
    detail::start(context, std::move(task), outcome);
    context.restart();
    while (!outcome.ended && context.run_one() != 0) {
    }
    return detail::take(outcome);
}

}  // namespace longhaul::test
