// Where what blocks runs: on threads, or inline.
//
// ThreadWorkers owns its threads. Its queue holds one entry per coroutine that waits, so what
// bounds the callers bounds it. run() cannot be cancelled once the job is queued: the awaiting
// coroutine owns what the job touches. Any thread may call run().
#pragma once

#include "longhaul/port/workers.hpp"

#include <cstddef>
#include <memory>

namespace longhaul::system {

class ThreadWorkers final : public port::Workers {
public:
    // REQUIRES: threads >= 1.
    explicit ThreadWorkers(std::size_t threads);
    // Runs what is queued to its end and joins.
    ~ThreadWorkers() override;
    ThreadWorkers(const ThreadWorkers&) = delete;
    ThreadWorkers& operator=(const ThreadWorkers&) = delete;

    boost::asio::awaitable<void> run(std::function<void()> job) override;

private:
    struct Pool;
    const std::unique_ptr<Pool> pool_;
};

// On the caller's thread, at once. For the simulator, for tests, and where a thread costs more than
// the wait.
class InlineWorkers final : public port::Workers {
public:
    boost::asio::awaitable<void> run(std::function<void()> job) override;
};

}  // namespace longhaul::system
