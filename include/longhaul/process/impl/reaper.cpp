#include "longhaul/process/reaper.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <deque>
#include <map>

namespace longhaul::process {

namespace asio = boost::asio;

namespace {

// Ends of children whose watch() is still to come: a spawn and its watch are a few lines apart.
constexpr std::size_t kUnclaimedMax = 256;

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

ProcessEnd collect(pid_t pid) {
    ProcessEnd end;
    end.pid = pid;
    int status = 0;
    rusage usage{};
    if (::wait4(pid, &status, 0, &usage) != pid) return end;
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    end.usage.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    end.usage.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    return end;
}

}  // namespace

struct Reaper::Impl : std::enable_shared_from_this<Reaper::Impl> {
    explicit Impl(const asio::any_io_executor& executor)
        : executor_(executor), signals_(executor, SIGCHLD) {}

    void listen() {
        signals_.async_wait([self = shared_from_this()](boost::system::error_code error, int) {
            if (error || self->stopped_) return;
            self->listen();
            self->reap();
        });
    }

    void reap() {
        for (;;) {
            siginfo_t info{};
            if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
                return;
            dispatch(collect(info.si_pid));
            if (stopped_) return;
        }
    }

    void dispatch(const ProcessEnd& end) {
        if (auto found = watched_.find(end.pid); found != watched_.end()) {
            const Callback callback = std::move(found->second);
            watched_.erase(found);
            if (callback) callback(end);
            return;
        }
        unclaimed_.push_back(end);
        if (unclaimed_.size() > kUnclaimedMax) unclaimed_.pop_front();
        if (on_orphan_) on_orphan_(end);
    }

    asio::any_io_executor executor_;
    asio::signal_set signals_;
    std::map<pid_t, Callback> watched_;  // an empty callback: forgotten
    std::deque<ProcessEnd> unclaimed_;
    Callback on_orphan_;
    bool stopped_ = false;
};

Reaper::Reaper(asio::any_io_executor executor) : impl_(std::make_shared<Impl>(executor)) {
    impl_->listen();
}

Reaper::~Reaper() {
    impl_->stopped_ = true;
    impl_->watched_.clear();
    impl_->on_orphan_ = nullptr;
    impl_->signals_.cancel();
}

void Reaper::watch(pid_t pid, Callback on_end) {
    auto& unclaimed = impl_->unclaimed_;
    for (auto it = unclaimed.begin(); it != unclaimed.end(); ++it) {
        if (it->pid != pid) continue;
        asio::post(impl_->executor_, [on_end = std::move(on_end), end = *it] { on_end(end); });
        unclaimed.erase(it);
        return;
    }
    impl_->watched_[pid] = std::move(on_end);
}

void Reaper::forget(pid_t pid) {
    auto found = impl_->watched_.find(pid);
    if (found != impl_->watched_.end()) found->second = nullptr;
}

void Reaper::on_orphan(Callback on_end) { impl_->on_orphan_ = std::move(on_end); }

asio::awaitable<ProcessEnd> Reaper::wait(pid_t pid) {
    // Shared with the callback, which may come after a cancelled waiter has gone.
    struct Waiting {
        explicit Waiting(const asio::any_io_executor& executor)
            : timer(executor, asio::steady_timer::time_point::max()) {}
        asio::steady_timer timer;
        std::optional<ProcessEnd> end;
    };
    auto waiting = std::make_shared<Waiting>(impl_->executor_);
    watch(pid, [waiting](const ProcessEnd& end) {
        waiting->end = end;
        waiting->timer.cancel();
    });
    while (!waiting->end) {
        boost::system::error_code error;
        co_await waiting->timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    co_return *waiting->end;
}

}  // namespace longhaul::process
