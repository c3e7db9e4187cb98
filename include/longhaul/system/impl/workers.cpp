#include "longhaul/system/workers.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace longhaul::system {

namespace asio = boost::asio;

struct ThreadWorkers::Pool {
    explicit Pool(std::size_t size) : threads{size} {}
    asio::thread_pool threads;
};

namespace {

// Runs the job on a thread of the pool, then resumes the coroutine on its own executor, which is
// kept from running out of work meanwhile.
template <class Handler, class Executor>
struct Work {
    std::function<void()> job;
    Handler handler;
    asio::executor_work_guard<Executor> guard;

    void operator()() {
        job();
        // Destroyed here, before the coroutine that owns what it captured can go on.
        job = nullptr;
        const Executor executor = guard.get_executor();
        asio::post(executor, std::move(handler));
        guard.reset();
    }
};

}  // namespace

ThreadWorkers::ThreadWorkers(std::size_t threads) : pool_{std::make_unique<Pool>(threads)} {
    LH_ASSERT(threads >= 1);
}

ThreadWorkers::~ThreadWorkers() { pool_->threads.join(); }

asio::awaitable<void> ThreadWorkers::run(std::function<void()> job) {
    auto start = [this](auto handler, std::function<void()> what) {
        const auto executor = asio::get_associated_executor(handler);
        using Executor = std::remove_const_t<decltype(executor)>;
        asio::post(pool_->threads,
                   Work<decltype(handler), Executor>{std::move(what), std::move(handler),
                                                     asio::make_work_guard(executor)});
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        std::move(start), asio::use_awaitable, std::move(job));
}

asio::awaitable<void> InlineWorkers::run(std::function<void()> job) {
    job();
    co_return;
}

}  // namespace longhaul::system
