#include "longhaul/net/task_group.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <list>

namespace longhaul::net {
namespace {

// Why a coroutine ended, or "" where that is the normal end of a cancelled one.
std::string failure_text(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == boost::asio::error::operation_aborted ? "" : error.what();
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

}  // namespace

struct TaskGroup::State {
    State(boost::asio::any_io_executor executor_arg, Logger logger_arg)
        : executor(std::move(executor_arg)),
          logger(std::move(logger_arg)),
          empty(executor, boost::asio::steady_timer::time_point::max()) {}

    struct Task {
        std::string_view name;
        boost::asio::cancellation_signal signal{};
        bool has_begun = false;
    };

    // Never inline in the caller of start(), who may be in the middle of a change.
    static boost::asio::awaitable<void> run_later(std::shared_ptr<State> state,
                                                  std::list<Task>::iterator place,
                                                  boost::asio::awaitable<void> task) {
        place->has_begun = true;
        if (state->cancelled) co_return;
        co_await boost::asio::post(state->executor, boost::asio::use_awaitable);
        co_await std::move(task);
    }

    boost::asio::any_io_executor executor;
    Logger logger;
    std::list<Task> tasks{};
    boost::asio::steady_timer empty;  // never expires: cancelled when the last task ends
    bool cancelled = false;
    std::uint64_t failures = 0;

    void ended(std::list<Task>::iterator task, const std::exception_ptr& failure) {
        if (failure) {
            if (const auto text = failure_text(failure); !text.empty()) {
                ++failures;
                logger.error("task_failed", {{"task", task->name}, {"error", text}});
            }
        }
        tasks.erase(task);
        if (tasks.empty()) empty.cancel();
    }
};

TaskGroup::TaskGroup(boost::asio::any_io_executor executor, Logger logger)
    : state_(std::make_shared<State>(std::move(executor), std::move(logger))) {}

TaskGroup::~TaskGroup() { LH_ASSERT(state_->tasks.empty()); }

void TaskGroup::start(std::string_view name, boost::asio::awaitable<void> task) {
    if (state_->cancelled) return;
    const auto place = state_->tasks.emplace(state_->tasks.end());
    place->name = name;
    boost::asio::co_spawn(
        state_->executor, State::run_later(state_, place, std::move(task)),
        boost::asio::bind_cancellation_slot(
            place->signal.slot(),
            [state = state_, place](std::exception_ptr failure) { state->ended(place, failure); }));
}

void TaskGroup::cancel() {
    state_->cancelled = true;
    // Nothing ends inside emit(): completions are always posted. What has not begun sees the flag:
    // a signal that reached co_spawn before its coroutine would be thrown where nobody catches
    // (Boost 1.83).
    for (auto& task : state_->tasks)
        if (task.has_begun) task.signal.emit(boost::asio::cancellation_type::terminal);
}

boost::asio::awaitable<void> TaskGroup::join() {
    const auto state = state_;
    while (!state->tasks.empty()) {
        boost::system::error_code ignored;
        co_await state->empty.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
}

std::size_t TaskGroup::size() const { return state_->tasks.size(); }
bool TaskGroup::cancelled() const { return state_->cancelled; }
std::uint64_t TaskGroup::failures() const { return state_->failures; }
boost::asio::any_io_executor TaskGroup::executor() const { return state_->executor; }

}  // namespace longhaul::net
