#include "longhaul/net/deadline.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/net/interrupt.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace longhaul::net::detail {
namespace {

bool is_cancelled_end(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

void start(const std::shared_ptr<Race>& race, const boost::asio::any_io_executor& executor,
           boost::asio::awaitable<void> operation, boost::asio::awaitable<void> other) {
    boost::asio::co_spawn(executor, std::move(operation),
                          boost::asio::bind_cancellation_slot(race->operation_signal.slot(),
                                                              [race](std::exception_ptr failure) {
                                                                  race->failure = failure;
                                                                  race->ended = true;
                                                                  race->changed.cancel();
                                                              }));
    boost::asio::co_spawn(
        executor, std::move(other),
        boost::asio::bind_cancellation_slot(
            race->clock_signal.slot(), [race](std::exception_ptr failure) {
                if (race->ended || failure) return;
                race->timed_out = true;
                race->operation_signal.emit(boost::asio::cancellation_type::terminal);
            }));
}

}  // namespace

boost::asio::awaitable<bool> race(boost::asio::awaitable<void> operation, port::Clock& clock,
                                  Duration limit) {
    auto time = clock.wait_until(clock.now() + limit);
    co_return co_await race_with(std::move(operation), std::move(time));
}

boost::asio::awaitable<bool> race_with(boost::asio::awaitable<void> operation,
                                       boost::asio::awaitable<void> other) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto state = std::make_shared<Race>(executor);
    start(state, executor, std::move(operation), std::move(other));

    // Our own cancellation is passed on, and the operation's end is awaited all the same.
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    while (!state->ended) {
        boost::system::error_code ignored;
        co_await state->changed.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
        const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (!state->ended && cancellation.cancelled() != boost::asio::cancellation_type::none)
            state->operation_signal.emit(boost::asio::cancellation_type::terminal);
    }
    state->clock_signal.emit(boost::asio::cancellation_type::terminal);
    co_await boost::asio::this_coro::throw_if_cancelled(throws);

    if (state->failure && !(state->timed_out && is_cancelled_end(state->failure)))
        std::rethrow_exception(state->failure);
    co_return state->timed_out;
}

Error deadline_error(Duration limit) {
    return make_error(Errc::timed_out, "not done after " + format_duration(limit));
}

}  // namespace longhaul::net::detail
