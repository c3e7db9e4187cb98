#include "runtime_agent_ext/driver/census.hpp"

#include "longhaul/process/pidfd.hpp"

#include <unistd.h>

#include <algorithm>

namespace longhaul::runtime_agent_ext {

Census::Census(const process::Cgroup& cgroup, bool members_suffice)
    : cgroup_(cgroup), members_suffice_(members_suffice && cgroup.has_kill()) {}

void Census::take_baseline() { baseline_ = living(); }

bool Census::has_strangers() const { return !std::ranges::includes(baseline_, living()); }

bool Census::nobody_lives() const {
    return process::descendants_of(::getpid()).empty() &&
           cgroup_.members().value_or(std::vector<pid_t>{}).empty();
}

std::vector<process::ProcessId> Census::living() const {
    if (!members_suffice_) return process::descendants_of(::getpid());
    std::vector<process::ProcessId> result;
    for (const pid_t pid : cgroup_.members().value_or(std::vector<pid_t>{}))
        if (auto start = process::start_time_of(pid)) result.push_back({pid, *start});
    std::ranges::sort(result);
    return result;
}

}  // namespace longhaul::runtime_agent_ext
