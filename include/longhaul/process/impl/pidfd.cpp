#include "longhaul/process/pidfd.hpp"

#include "longhaul/net/deadline.hpp"
#include "longhaul/process/impl/proc_stat.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace longhaul::process {
namespace {

namespace asio = boost::asio;

Error gone(pid_t pid) {
    return make_error(Errc::not_found, "process " + std::to_string(pid) + " is gone");
}

asio::awaitable<Result<bool>> wait_readable(asio::posix::stream_descriptor& descriptor) {
    boost::system::error_code error;
    co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                   asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return make_error(Errc::cancelled, "waiting for a process was cancelled");
    co_return true;
}

}  // namespace

Result<std::uint64_t> start_time_of(pid_t pid) {
    const auto stat = read_proc_stat(pid);
    if (!stat) return gone(pid);
    return stat->start_time;
}

Result<UniqueFd> open_process(pid_t pid, std::uint64_t start_time) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) return gone(pid);
    // Read after the open: if it is the right process now, the descriptor is of that process.
    const auto stat = read_proc_stat(pid);
    if (!stat || stat->start_time != start_time || stat->is_dead()) return gone(pid);
    return pidfd;
}

Result<void> send_signal(const UniqueFd& pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return {};
    if (errno == ESRCH) return make_error(Errc::not_found, "the process is gone");
    return make_error(Errc::io_failed, std::string("cannot signal: ") + std::strerror(errno));
}

bool is_alive(const UniqueFd& pidfd) {
    pollfd item{pidfd.get(), POLLIN, 0};
    return ::poll(&item, 1, 0) == 0;
}

asio::awaitable<Result<void>> wait_gone(const UniqueFd& pidfd, port::Clock& clock, Duration limit) {
    auto executor = co_await asio::this_coro::executor;
    const int copy = ::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        co_return make_error(Errc::io_failed, std::string("cannot wait: ") + std::strerror(errno));
    asio::posix::stream_descriptor descriptor(executor, copy);
    auto waiting = wait_readable(descriptor);
    auto done = co_await net::with_deadline<bool>(std::move(waiting), clock, limit);
    if (!done) co_return done.error();
    co_return Result<void>{};
}

}  // namespace longhaul::process
