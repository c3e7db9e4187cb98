// The processes below one process, read from /proc, and their end.
//
// A subreaper (PR_SET_CHILD_SUBREAPER) inherits what double-forks, so below it nothing gets out of
// sight, whatever session or group it joins.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/process/cgroup.hpp"

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace longhaul::port {
class Clock;
}

namespace longhaul::process {

struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0;

    friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

// Every live process (no zombies) below `root`, without it, sorted.
[[nodiscard]] std::vector<ProcessId> descendants_of(pid_t root);

[[nodiscard]] Result<void> become_subreaper();

// SIGKILL to every process in `cgroup` and below `root`, once. How many it found.
std::size_t kill_once(pid_t root, const Cgroup& cgroup);

// SIGKILL until nothing is left in `cgroup` and below `root`. True: proven by listing. False: after
// `limit` something is still there (a process in the kernel's hands).
boost::asio::awaitable<bool> kill_tree(pid_t root, const Cgroup& cgroup, port::Clock& clock,
                                       Duration limit);

// Blocking, for when the subreaper itself died and its tree can no longer be followed: SIGKILL to
// what is left in `cgroup` and to every process of user `uid` (0 = none: then only the cgroup),
// until nothing is left or `limit` has passed. True: proven by listing, as far as both can tell.
[[nodiscard]] bool kill_orphans(const Cgroup& cgroup, uid_t uid, Duration limit);

// CPU and peak memory of a live process and of its ended children.
struct LiveUsage {
    double cpu_seconds = 0;
    std::uint64_t max_rss_bytes = 0;
};
[[nodiscard]] LiveUsage usage_of(pid_t pid);
// From now on its peak memory is counted anew; where the kernel does not allow it, it goes on.
void reset_peak_memory(pid_t pid);

}  // namespace longhaul::process
