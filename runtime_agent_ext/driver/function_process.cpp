#include "runtime_agent_ext/driver/function_process.hpp"

#include "longhaul/process/spawn.hpp"
#include "runtime_agent_ext/driver/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <map>

namespace longhaul::runtime_agent_ext {
namespace {

constexpr rlim_t kOpenFilesMax = 65'536;

struct Pipe {
    process::UniqueFd read;
    process::UniqueFd write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return file_error("cannot make", "a pipe");
    return Pipe{process::UniqueFd(ends[0]), process::UniqueFd(ends[1])};
}

std::vector<process::ResourceLimit> resource_limits(const Surroundings& surroundings) {
    std::vector<process::ResourceLimit> limits{{RLIMIT_CORE, 0, 0}};
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    const rlim_t open_files = std::min(files.rlim_max, kOpenFilesMax);
    limits.push_back({RLIMIT_NOFILE, open_files, open_files});
    // Without the pids controller: it counts by user, so it binds where the user is the instance's
    // own.
    const Config& config = surroundings.config;
    bool pids_missing = !config.cgroups;
    for (const auto& missing : surroundings.cgroup.limits_missing())
        pids_missing = pids_missing || missing == "pids";
    if (pids_missing && config.pids_max > 0 && config.uid.value_or(0) != 0)
        limits.push_back({RLIMIT_NPROC, config.pids_max, config.pids_max});
    return limits;
}

process::SpawnRequest spawn_request(const Surroundings& surroundings,
                                    const FunctionProcess::Plan& plan) {
    const Config& config = surroundings.config;
    process::SpawnRequest request;
    request.trampoline = config.program;
    request.argv = plan.argv;
    request.env = plan.env;
    request.cwd = plan.cwd;
    request.stdin_fd = plan.stdin_fd;
    request.uid = config.uid;
    request.gid = config.gid;
    request.parent_death_signal = SIGKILL;
    request.limits = resource_limits(surroundings);
    request.cgroups = surroundings.cgroup.directories();
    return request;
}

}  // namespace

std::vector<std::string> build_environment(const Config& config, const Environment& function_env,
                                           const Environment& ours) {
    std::map<std::string, std::string> merged{{"PATH", config.path},
                                              {"LANG", "C.UTF-8"},
                                              {"HOME", work_directory(config)},
                                              {"TMPDIR", work_directory(config)}};
    for (const auto& [name, value] : function_env) merged[name] = value;
    for (const auto& [name, value] : ours) merged[name] = value;
    std::vector<std::string> result;
    for (const auto& [name, value] : merged) result.push_back(name + "=" + value);
    return result;
}

std::string work_directory(const Config& config) { return config.directory + "/work"; }

FunctionProcess::FunctionProcess(Surroundings& surroundings, Events events)
    : surroundings_(surroundings), listener_(std::make_shared<Listener>()) {
    listener_->events = std::move(events);
}

FunctionProcess::~FunctionProcess() { close(); }

Result<void> FunctionProcess::start(const Plan& plan) {
    auto out = make_pipe();
    if (!out) return out.error();
    auto err = make_pipe();
    if (!err) return err.error();
    process::SpawnRequest request = spawn_request(surroundings_, plan);
    request.stdout_fd = out->write.get();
    request.stderr_fd = err->write.get();
    auto spawned = process::spawn(request);
    if (!spawned) return spawned.error();

    pid_ = spawned->pid;
    running_ = true;
    surroundings_.reaper.watch(pid_, [this, listener = listener_](const process::ProcessEnd& end) {
        if (listener->closed) return;
        listener->end = end;
        deliver_end(listener);
    });
    read_pipe(std::move(out->read), wire::LogStream::out);
    read_pipe(std::move(err->read), wire::LogStream::err);
    surroundings_.tasks.start("confirm exec", confirm(listener_, std::move(spawned->exec_status)));
    return {};
}

void FunctionProcess::signal_group(int signal) const {
    if (pid_ > 0) ::kill(-pid_, signal);
}

void FunctionProcess::drain_output() {
    for (const auto& reader : readers_) reader->drain();
}

void FunctionProcess::close() {
    listener_->closed = true;
    for (const auto& reader : readers_) reader->close();
    readers_.clear();
}

boost::asio::awaitable<void> FunctionProcess::confirm(std::shared_ptr<Listener> listener,
                                                      process::UniqueFd status) {
    const Duration limit = surroundings_.config.exec_timeout;
    auto result = co_await process::confirm_exec(std::move(status), surroundings_.clock, limit);
    if (listener->closed) co_return;
    listener->confirmed = true;
    listener->events.executed(std::move(result));
    deliver_end(listener);
}

void FunctionProcess::deliver_end(const std::shared_ptr<Listener>& listener) {
    if (listener->closed || !listener->confirmed || !listener->end) return;
    running_ = false;
    listener->events.ended(*listener->end);
}

void FunctionProcess::read_pipe(process::UniqueFd pipe, wire::LogStream stream) {
    auto reader =
        std::make_shared<OutputReader>(surroundings_.tasks.executor(), std::move(pipe),
                                       [listener = listener_, stream](std::string_view bytes) {
                                           if (!listener->closed)
                                               listener->events.output(stream, bytes);
                                       });
    readers_.push_back(reader);
    surroundings_.tasks.start("function output", OutputReader::run(std::move(reader)));
}

}  // namespace longhaul::runtime_agent_ext
