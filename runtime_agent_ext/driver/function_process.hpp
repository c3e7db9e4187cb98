// One process of the function: spawned through the trampoline as the function's user, in a group of
// its own, dying with the runtime agent; its output read; its end reported once.
//
// Runs on the agent's executor. REQUIRES close() or the end before destruction.
#pragma once

#include "longhaul/net/task_group.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/reaper.hpp"
#include "longhaul/wire/log_line.hpp"
#include "runtime_agent_ext/config.hpp"
#include "runtime_agent_ext/driver/output_reader.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::runtime_agent_ext {

// Who a function's process needs to know; all outlive it.
struct Surroundings {
    net::TaskGroup& tasks;
    port::Clock& clock;
    process::Reaper& reaper;
    const process::Cgroup& cgroup;
    const Config& config;
    const Logger& logger;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// The allow-list, then the function's own, then ours, which nothing overrides.
[[nodiscard]] std::vector<std::string> build_environment(const Config& config,
                                                         const Environment& function_env,
                                                         const Environment& ours);

// Where the function may write: HOME and TMPDIR, and the file of its result.
[[nodiscard]] std::string work_directory(const Config& config);

class FunctionProcess {
public:
    struct Plan {
        std::vector<std::string> argv;
        std::vector<std::string> env;
        std::string cwd;
        int stdin_fd = -1;  // -1 = /dev/null
    };
    struct Events {
        std::function<void(wire::LogStream, std::string_view)> output;
        std::function<void(Result<void>)> executed;  // it runs, or why it could not be started
        // Always, once, where start() was ok.
        std::function<void(const process::ProcessEnd&)> ended;
    };

    FunctionProcess(Surroundings& surroundings, Events events);
    ~FunctionProcess();
    FunctionProcess(const FunctionProcess&) = delete;
    FunctionProcess& operator=(const FunctionProcess&) = delete;

    [[nodiscard]] Result<void> start(const Plan& plan);

    void signal_group(int signal) const;
    void drain_output();
    // No more events.
    void close();

    [[nodiscard]] bool running() const { return running_; }
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    // Shared with the task that confirms the exec, and with the reaper: it says whether the owner
    // still listens (is still there). An end that comes first waits for the confirmation, so that a
    // program that could not be started is told from one that ended.
    struct Listener {
        Events events;
        bool closed = false;
        bool confirmed = false;
        std::optional<process::ProcessEnd> end{};  // came before the confirmation
    };
    boost::asio::awaitable<void> confirm(std::shared_ptr<Listener> listener,
                                         process::UniqueFd status);
    void deliver_end(const std::shared_ptr<Listener>& listener);
    void read_pipe(process::UniqueFd pipe, wire::LogStream stream);

    Surroundings& surroundings_;
    std::shared_ptr<Listener> listener_;
    std::vector<std::shared_ptr<OutputReader>> readers_;  // shared with their tasks
    pid_t pid_ = 0;
    bool running_ = false;
};

}  // namespace longhaul::runtime_agent_ext
