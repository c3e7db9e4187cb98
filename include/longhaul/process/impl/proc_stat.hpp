// /proc/<pid>/stat, as far as process/ needs it. Internal to process/.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace longhaul::process {

struct ProcStat {
    pid_t pid = 0;
    pid_t parent = 0;
    char state = '?';
    std::uint64_t cpu_ticks = 0;  // its own and of the children that it waited for
    std::uint64_t start_time = 0;

    [[nodiscard]] bool is_dead() const { return state == 'Z' || state == 'X'; }
};

[[nodiscard]] std::optional<ProcStat> read_proc_stat(pid_t pid);

}  // namespace longhaul::process
