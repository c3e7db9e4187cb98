// Each coroutine that nobody awaits is started by a TaskGroup, which counts, cancels and awaits it.
//
// Runs on one executor; not thread-safe. An exception that escapes a task is logged and counted:
// the one catch per coroutine root.
#pragma once

#include "longhaul/base/log.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace longhaul::net {

class TaskGroup {
public:
    TaskGroup(boost::asio::any_io_executor executor, Logger logger);
    ~TaskGroup();  // REQUIRES join() has returned, or nothing was ever started
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Starts `task`; `name` (a literal) appears in the log if it throws. After cancel() it is
    // destroyed unstarted.
    void start(std::string_view name, boost::asio::awaitable<void> task);

    // Asks every task to end (asio terminal cancellation), now and for ever.
    void cancel();

    // Returns when no task is left. Several may wait.
    boost::asio::awaitable<void> join();

    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool cancelled() const;
    [[nodiscard]] std::uint64_t failures() const;
    [[nodiscard]] boost::asio::any_io_executor executor() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the completion of each task
};

}  // namespace longhaul::net
