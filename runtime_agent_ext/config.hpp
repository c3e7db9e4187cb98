// What a runtime agent is told when it is spawned. Flags only: it has no file and no environment of
// its own. `runtime_agent_ext --help` prints the list.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/base/time.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::runtime_agent_ext {

struct Config {
    // Required.
    InstanceId instance;
    std::string directory;       // of the instance; the runner and the function's work/ go here
    std::string host_socket;     // unix socket of the host agent
    std::string control_socket;  // unix socket to serve
    std::string data_listen = "127.0.0.1:0";  // TCP, for gateways: guarded by the token of a run
    std::string log_directory;
    std::string store_directory;  // results
    std::string secret;           // per instance, read from an inherited descriptor

    // The function's.
    std::optional<uid_t> uid;
    std::optional<gid_t> gid;
    std::string path = "/usr/local/bin:/usr/bin:/bin";  // its PATH, unless its own env sets one

    std::string prestart{};  // the runtime to start in standby, before the load; "" = none

    // Limits.
    bool cgroups = true;                        // use them where they are writable
    std::uint32_t pids_max = 1024;              // processes and threads; 0 = none
    std::uint64_t memory_max_bytes = 0;         // 0 = none
    std::uint64_t log_bytes_max = 10u << 20;    // per run; 1 KiB … 16 GiB
    std::uint64_t body_bytes_max = 256u << 20;  // 0 … 16 GiB

    // Times.
    Duration report_timeout = std::chrono::seconds(10);  // one report to the host agent
    Duration reconnect_min = std::chrono::milliseconds(20);
    Duration reconnect_max = std::chrono::seconds(1);
    Duration coalesce = std::chrono::seconds(1);       // progress and usage
    Duration exec_timeout = std::chrono::seconds(30);  // trampoline to exec
    Duration kill_confirm = std::chrono::seconds(10);  // SIGKILL to an empty tree
    // An agent that runs nothing, has nothing to report and has not reached its host agent for this
    // long is forgotten: it ends. 0 = never.
    Duration orphan_idle = std::chrono::minutes(10);

    LogLevel log_level = LogLevel::info;
    std::string program;  // this executable, which is also the trampoline
};

struct CommandLine {
    Config config;
    bool help = false;
};

// Errc::invalid_argument: all problems, a line each.
[[nodiscard]] Result<CommandLine> parse_command_line(const std::vector<std::string>& words);
[[nodiscard]] std::string help_text();

}  // namespace longhaul::runtime_agent_ext
