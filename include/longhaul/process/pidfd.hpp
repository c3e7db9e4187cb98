// Processes by descriptor: a pid is reused, a pidfd is not.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/process/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <cstdint>

namespace longhaul::port {
class Clock;
}

namespace longhaul::process {

// Of a live process: field 22 of /proc/<pid>/stat. Errc::not_found.
[[nodiscard]] Result<std::uint64_t> start_time_of(pid_t pid);

// The process that has this pid and started then. Errc::not_found where it is gone (or a zombie).
[[nodiscard]] Result<UniqueFd> open_process(pid_t pid, std::uint64_t start_time);

// Errc::not_found where it is gone.
[[nodiscard]] Result<void> send_signal(const UniqueFd& pidfd, int signal);

// Whether it is still there (a zombie is not).
[[nodiscard]] bool is_alive(const UniqueFd& pidfd);

// Returns when it has ended; Errc::timed_out after `limit`. Works for processes that are no
// children.
boost::asio::awaitable<Result<void>> wait_gone(const UniqueFd& pidfd, port::Clock& clock,
                                               Duration limit);

}  // namespace longhaul::process
