// Port: a pool of threads for what blocks (disk, unpacking, the view's reads). Inline in the
// simulator and in unit tests.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>

namespace longhaul::port {

class Workers {
public:
    virtual ~Workers() = default;

    // Runs `job` on some thread; the awaiting coroutine resumes on its own executor when the job
    // has returned. Bounded: when the queue is full the caller waits. A job must not throw and must
    // own what it touches, or the awaiting coroutine must: it always waits for the end.
    virtual boost::asio::awaitable<void> run(std::function<void()> job) = 0;
};

}  // namespace longhaul::port
