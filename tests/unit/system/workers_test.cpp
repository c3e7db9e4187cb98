#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <latch>
#include <thread>

namespace longhaul::system {

namespace asio = boost::asio;

namespace {

asio::awaitable<bool> resumes_here(port::Workers& workers, std::thread::id& ran_on) {
    const auto here = std::this_thread::get_id();
    std::function<void()> job = [&ran_on] { ran_on = std::this_thread::get_id(); };
    co_await workers.run(std::move(job));
    co_return std::this_thread::get_id() == here;
}

asio::awaitable<int> run_many(port::Workers& workers, int count, int& sum) {
    for (int i = 0; i < count; ++i) {
        int doubled = 0;
        std::function<void()> job = [i, &doubled] { doubled = 2 * i; };
        co_await workers.run(std::move(job));
        sum += doubled;
    }
    co_return sum;
}

}  // namespace

TEST_CASE("a job runs on another thread and its coroutine resumes on its own") {
    asio::io_context context;
    ThreadWorkers workers{2};
    std::thread::id ran_on;
    CHECK(test::run_task(context, resumes_here(workers, ran_on)));
    CHECK(ran_on != std::this_thread::get_id());
}

TEST_CASE("inline workers run the job where they are asked") {
    asio::io_context context;
    InlineWorkers workers;
    std::thread::id ran_on;
    CHECK(test::run_task(context, resumes_here(workers, ran_on)));
    CHECK(ran_on == std::this_thread::get_id());
}

TEST_CASE("many coroutines share few threads without a race") {
    asio::io_context context;
    ThreadWorkers workers{4};
    int sum = 0;
    int ended = 0;
    for (int i = 0; i < 50; ++i) {
        asio::co_spawn(context, run_many(workers, 100, sum),
                       [&ended](std::exception_ptr failure, int) {
                           CHECK_FALSE(failure);
                           ++ended;
                       });
    }
    context.run();
    CHECK(ended == 50);
    CHECK(sum == 50 * 9900);
}

TEST_CASE("the end of the pool waits for queued jobs") {
    asio::io_context context;
    std::atomic<int> ran{0};
    {
        ThreadWorkers workers{1};
        std::latch started{1};
        std::latch go_on{1};
        const auto start = [&](std::function<void()> job) {
            asio::co_spawn(context, workers.run(std::move(job)), [](std::exception_ptr) {});
        };
        start([&] {
            started.count_down();
            go_on.wait();
            ++ran;
        });
        start([&] { ++ran; });
        start([&] { ++ran; });
        context.poll();
        started.wait();
        go_on.count_down();
    }
    CHECK(ran == 3);
    context.run();
}

}  // namespace longhaul::system
