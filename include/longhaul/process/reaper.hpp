// Collects every child of this process, once: SIGCHLD, then waitid(P_ALL, WNOWAIT), then dispatch
// by pid. One per process (it takes every child, also orphans that a subreaper inherits).
//
// Runs on the executor it is given; watch() may be called from any thread of that executor's
// strand.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/lifecycle/invocation.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>

namespace longhaul::process {

struct ProcessEnd {
    pid_t pid = 0;
    std::optional<int> exit_code{};  // one of the two
    std::optional<int> signal{};
    Usage usage{};  // of it and of the children that it waited for
};

class Reaper {
public:
    using Callback = std::function<void(const ProcessEnd&)>;

    explicit Reaper(boost::asio::any_io_executor executor);
    ~Reaper();
    Reaper(const Reaper&) = delete;
    Reaper& operator=(const Reaper&) = delete;

    // `on_end` is called once, from the executor, never from inside this call. Also for a child
    // that ended before the call.
    void watch(pid_t pid, Callback on_end);
    // Nobody is told; the child is still collected.
    void forget(pid_t pid);

    // For a child that nobody watches: an orphan that came to this subreaper.
    void on_orphan(Callback on_end);

    // Waits for one child. REQUIRES that nobody else watches it.
    boost::asio::awaitable<ProcessEnd> wait(pid_t pid);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with the pending signal handler
};

}  // namespace longhaul::process
