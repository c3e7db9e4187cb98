// A leaf cgroup for one instance's function: a sure kill (v2 cgroup.kill), a list of members, a
// limit on processes and memory. Whatever of it the machine allows: v2 where a tree is writable,
// the v1 pids and memory controllers where they are mounted, nothing at all where nothing is
// writable.
//
// Without a directory (`empty()`) every call is a no-op, and the process tree alone decides.
#pragma once

#include "longhaul/base/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::process {

struct CgroupLimits {
    std::uint32_t pids_max = 0;          // 0 = none
    std::uint64_t memory_max_bytes = 0;  // 0 = none
};

class Cgroup {
public:
    Cgroup() = default;

    // Makes (or finds) `name` under what is writable. Never fails: see empty() and
    // limits_missing().
    [[nodiscard]] static Cgroup make(const std::string& name, const CgroupLimits& limits);

    // What an earlier make() of `name` left: for whoever cleans up after a runtime agent that died,
    // whose function may have left its tree but not its cgroup.
    [[nodiscard]] static Cgroup find(const std::string& name);

    [[nodiscard]] bool empty() const { return v2_.empty() && v1_.empty(); }
    [[nodiscard]] bool has_kill() const { return !v2_.empty(); }
    // Of the limits asked for, those that nothing here enforces: "pids", "memory".
    [[nodiscard]] const std::vector<std::string>& limits_missing() const { return missing_; }

    // Directories to join, for SpawnRequest::cgroups.
    [[nodiscard]] std::vector<std::string> directories() const;

    // SIGKILL to all members at once. False where there is no cgroup.kill.
    bool kill() const;
    // Live members; nothing where there is no v2 directory.
    [[nodiscard]] std::optional<std::vector<pid_t>> members() const;
    // How often the kernel killed for memory in here; 0 where it cannot be known.
    [[nodiscard]] std::uint64_t oom_kills() const;
    // Removes the directories. REQUIRES no members; else they stay.
    void remove() const;

private:
    std::string v2_{};               // directory, or ""
    std::vector<std::string> v1_{};  // directories, one a controller
    std::vector<std::string> missing_{};
};

}  // namespace longhaul::process
