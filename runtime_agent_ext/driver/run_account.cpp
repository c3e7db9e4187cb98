#include "runtime_agent_ext/driver/run_account.hpp"

#include "longhaul/process/tree.hpp"

#include <algorithm>

namespace longhaul::runtime_agent_ext {

RunAccount::RunAccount(const Surroundings& surroundings, Census& census)
    : surroundings_(surroundings), census_(census) {}

void RunAccount::open(const FunctionProcess& process) {
    census_.take_baseline();
    if (process.running()) cpu_before_ = process::usage_of(process.pid()).cpu_seconds;
    oom_kills_before_ = surroundings_.cgroup.oom_kills();
}

double RunAccount::begin(const FunctionProcess& process, bool alone) {
    if (!alone && process.running()) return process::usage_of(process.pid()).cpu_seconds;
    if (alone) orphans_ = {};
    return cpu_before_;
}

void RunAccount::add_orphan(const Usage& usage) {
    orphans_.cpu_seconds += usage.cpu_seconds;
    orphans_.max_rss_bytes = std::max(orphans_.max_rss_bytes, usage.max_rss_bytes);
}

void RunAccount::close(FunctionEnd& end, const FunctionProcess& process, double cpu_from,
                       bool alone) {
    if (process.running()) {
        const auto usage = process::usage_of(process.pid());
        end.usage.cpu_seconds = std::max(0.0, usage.cpu_seconds - cpu_from);
        end.usage.max_rss_bytes = usage.max_rss_bytes;
        cpu_before_ = usage.cpu_seconds;
        if (alone) process::reset_peak_memory(process.pid());
    }
    end.usage.cpu_seconds += orphans_.cpu_seconds;
    end.usage.max_rss_bytes = std::max(end.usage.max_rss_bytes, orphans_.max_rss_bytes);
    end.left_processes = alone && census_.has_strangers();
    end.still_serving = process.running();
    if (alone) oom_kills_before_ = surroundings_.cgroup.oom_kills();
}

FunctionEnd RunAccount::end_with(const process::ProcessEnd& process, std::string_view what,
                                 double cpu_from) const {
    FunctionEnd end;
    end.exit_code = process.exit_code;
    end.signal = process.signal;
    end.oom = surroundings_.cgroup.oom_kills() > oom_kills_before_;
    end.reason = end.oom          ? FailureReason::oom
                 : process.signal ? FailureReason::signal
                                  : FailureReason::exit;
    end.message = how_it_ended(process, what) + " before it answered";
    end.usage = process.usage;
    end.usage.cpu_seconds = std::max(0.0, end.usage.cpu_seconds - cpu_from);
    end.runtime_gone = true;
    return end;
}

std::string how_it_ended(const process::ProcessEnd& process, std::string_view what) {
    if (process.signal)
        return std::string(what) + " was ended by signal " + std::to_string(*process.signal);
    return std::string(what) + " ended with exit code " +
           std::to_string(process.exit_code.value_or(-1));
}

}  // namespace longhaul::runtime_agent_ext
