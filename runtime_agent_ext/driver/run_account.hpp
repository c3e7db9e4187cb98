// What a run used of a process that serves run after run (modes handler and http), what it left
// behind, and how it ended where the process ended first. Of runs that are on at once nobody can
// tell them apart: each is said to have used what the whole process did meanwhile.
//
// Runs on the agent's executor.
#pragma once

#include "runtime_agent_ext/core/run.hpp"
#include "runtime_agent_ext/driver/census.hpp"
#include "runtime_agent_ext/driver/function_process.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

class RunAccount {
public:
    RunAccount(const Surroundings& surroundings, Census& census);

    // The load is over: what lives now belongs to the instance.
    void open(const FunctionProcess& process);
    // A run begins, `alone` or beside others. The CPU seconds that its usage is counted from.
    [[nodiscard]] double begin(const FunctionProcess& process, bool alone);
    void add_orphan(const Usage& usage);
    // Completes `end` with what the run used and, where no other is on, left.
    void close(FunctionEnd& end, const FunctionProcess& process, double cpu_from, bool alone);

    // The end of a run before which its process ended. `what` is the process: "the server".
    [[nodiscard]] FunctionEnd end_with(const process::ProcessEnd& process, std::string_view what,
                                       double cpu_from) const;

private:
    const Surroundings& surroundings_;
    Census& census_;
    double cpu_before_ = 0;
    std::uint64_t oom_kills_before_ = 0;
    Usage orphans_;
};

// "the server ended with exit code 3", "… was ended by signal 9"
[[nodiscard]] std::string how_it_ended(const process::ProcessEnd& process, std::string_view what);

}  // namespace longhaul::runtime_agent_ext
