// Starts a program: posix_spawn of a small trampoline (`runtime_agent_ext --exec`), which sets what
// posix_spawn cannot (rlimits, no_new_privs, uid, parent-death signal, cgroup) and execs. Never
// fork(): the caller may be large, and its pages must not be copied.
//
// spawn() blocks only until the trampoline runs; whether the program itself could be started is
// known at confirm_exec(). Any thread; but a parent-death signal fires when the calling *thread*
// ends.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/process/unique_fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::port {
class Clock;
}

namespace longhaul::process {

struct ResourceLimit {
    int resource = 0;  // RLIMIT_…
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

struct InheritedFd {
    int fd = -1;  // the caller's; stays open there
    int as = -1;  // 3 … 15 in the program
};

struct SpawnRequest {
    std::string trampoline;         // path of runtime_agent_ext
    std::vector<std::string> argv;  // argv[0] is looked up in the PATH of `env`
    std::vector<std::string> env;   // "NAME=value": all of it, nothing is inherited
    std::string cwd;                // "" = the caller's
    int stdin_fd = -1;              // -1 = /dev/null, also below
    int stdout_fd = -1;
    int stderr_fd = -1;
    std::vector<InheritedFd> inherit;

    bool new_session = false;  // setsid; else a group of its own
    bool no_new_privs = true;
    std::optional<uid_t> uid;  // with supplementary groups dropped
    std::optional<gid_t> gid;
    int parent_death_signal = 0;  // 0 = none
    int oom_score_adj = 0;        // 0 = as the caller's
    std::vector<ResourceLimit> limits;
    std::vector<std::string> cgroups;  // directories that it joins first
};

struct Spawned {
    pid_t pid = 0;
    UniqueFd pidfd;
    std::uint64_t start_time = 0;  // in clock ticks since boot: with the pid, an identity
    UniqueFd exec_status;          // for confirm_exec()
};

// Errc::io_failed names what failed and why.
[[nodiscard]] Result<Spawned> spawn(const SpawnRequest& request);

// Returns when the program runs; else the trampoline's error ("cannot execute /x: No such file …":
// Errc::refused), and the child has exited or will at once. May be called once.
boost::asio::awaitable<Result<void>> confirm_exec(UniqueFd exec_status, port::Clock& clock,
                                                  Duration limit);

}  // namespace longhaul::process
