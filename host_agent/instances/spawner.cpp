#include "host_agent/instances/spawner.hpp"

#include "longhaul/process/spawn.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace longhaul::host_agent {

namespace fs = std::filesystem;

namespace {

constexpr int kSecretFd = 3;
constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;

// Functions under uids of their own pass through these folders, and list none of them.
Result<void> make_passable(const std::string& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error && ::chmod(folder.c_str(), 0711) != 0) error.assign(errno, std::system_category());
    if (error) return make_error(Errc::io_failed, "cannot make " + folder + ": " + error.message());
    return {};
}

// A pipe that holds the secret and then its end; for the child alone.
Result<process::UniqueFd> secret_pipe(const std::string& secret) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return make_error(Errc::io_failed, std::string("pipe2: ") + std::strerror(errno));
    process::UniqueFd read_end(ends[0]);
    const process::UniqueFd write_end(ends[1]);
    // Far below what a pipe holds: never blocks, never short.
    if (::write(write_end.get(), secret.data(), secret.size()) !=
        static_cast<ssize_t>(secret.size()))
        return make_error(Errc::io_failed, "cannot write into a pipe");
    return read_end;
}

std::vector<std::string> agent_words(const SpawnSettings& settings, const std::string& folder,
                                     const std::string& control, const InstanceId& id) {
    std::vector<std::string> words{
        settings.program,
        "--instance",
        id.text,
        "--dir",
        folder,
        "--host-socket",
        settings.host_socket,
        "--control-socket",
        control,
        "--data-listen",
        settings.data_listen,
        "--log-dir",
        settings.log_dir,
        "--store-dir",
        settings.result_dir,
        "--secret-fd",
        std::to_string(kSecretFd),
        "--cgroups",
        settings.cgroups ? "yes" : "no",
        "--pids-max",
        std::to_string(settings.pids_max),
        "--log-bytes-max",
        std::to_string(settings.run_log_max),
        "--log-level",
        "warning",
    };
    if (!settings.function_path.empty()) {
        words.emplace_back("--path");
        words.push_back(settings.function_path);
    }
    return words;
}

}  // namespace

Spawner::Spawner(SpawnSettings settings) : settings_(std::move(settings)) {}

Result<void> Spawner::open() {
    if (::access(settings_.program.c_str(), X_OK) != 0)
        return make_error(Errc::not_found, "no runtime agent at '" + settings_.program +
                                               "': " + std::strerror(errno) +
                                               " (--runtime-agent names it)");
    const std::string longest = control_socket(InstanceId{std::string(16, '0')});
    if (longest.size() > kSocketPathMax)
        return make_error(Errc::invalid_argument,
                          "the data directory's path is too long: " + longest + " has " +
                              std::to_string(longest.size()) + " bytes, a socket's path at most " +
                              std::to_string(kSocketPathMax));
    const fs::path data_dir = fs::path(settings_.instances_dir).parent_path();
    if (auto made = make_passable(data_dir); !made) return made;
    for (fs::path above = data_dir.parent_path(); above.has_relative_path();
         above = above.parent_path()) {
        struct stat info {};
        if (::stat(above.c_str(), &info) == 0 && (info.st_mode & S_IXOTH) == 0)
            obstacle_ = above.string();
    }
    if (auto made = make_passable(settings_.instances_dir); !made) return made;
    if (::geteuid() != 0 || settings_.uids.count == 0 || !obstacle_.empty()) return {};
    auto claimed = UidRange::claim(settings_.uids, uids_in_use);
    if (!claimed) return claimed.error();
    uids_ = std::move(*claimed);
    return {};
}

std::string Spawner::control_socket(const InstanceId& id) const {
    return settings_.instances_dir + "/" + id.text + "/c.sock";
}

std::optional<std::uint32_t> Spawner::free_uid(const Processes::Order& order) {
    if (uids_.count() == 0) return 0;
    std::vector<bool> taken(uids_.count());
    for (const std::uint32_t uid : order.uids_taken)
        if (uids_.owns(uid)) taken[uid - uids_.first()] = true;
    for (std::uint32_t tries = 0; tries < uids_.count(); ++tries) {
        const std::uint32_t index = next_uid_++ % uids_.count();
        if (!taken[index]) return uids_.first() + index;
    }
    return std::nullopt;
}

Result<InstanceProcess> Spawner::spawn(const Processes::Order& order) {
    const std::optional<std::uint32_t> uid = free_uid(order);
    if (!uid)
        return make_error(Errc::overloaded,
                          "all " + std::to_string(uids_.count()) + " instance uids are in use",
                          "no-capacity");
    const std::string folder = settings_.instances_dir + "/" + order.id.text;
    if (auto made = make_passable(folder); !made) return made.error();
    auto secret = secret_pipe(order.secret);
    if (!secret) return secret.error();
    const std::string control = control_socket(order.id);

    process::SpawnRequest request;
    request.trampoline = settings_.program;
    request.argv = agent_words(settings_, folder, control, order.id);
    request.argv.emplace_back("--memory-max-bytes");
    request.argv.push_back(std::to_string(std::uint64_t{order.memory_mb} << 20));
    if (*uid != 0) {
        for (const char* flag : {"--uid", "--gid"}) {
            request.argv.emplace_back(flag);
            request.argv.push_back(std::to_string(*uid));
        }
    }
    const char* path = std::getenv("PATH");
    request.env = {std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"),
                   "LANG=C.UTF-8"};
    request.cwd = folder;
    // A file, not our own stderr: the runtime agent outlives us, and must not hold our pipes open.
    const std::string own_log = folder + "/agent.log";
    const process::UniqueFd log(
        ::open(own_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    request.stderr_fd = log.get();
    request.inherit = {{secret->get(), kSecretFd}};
    request.new_session = true;
    // What a function's set-uid helper must not win back; the runtime agent needs none of it.
    request.no_new_privs = true;
    request.limits = {
        {RLIMIT_CORE, 0, 0},
        {RLIMIT_FSIZE, settings_.file_max, settings_.file_max},
        {RLIMIT_NOFILE, settings_.open_files_max, settings_.open_files_max},
    };
    auto spawned = process::spawn(request);
    if (!spawned) return spawned.error();
    return InstanceProcess{.process = {spawned->pid, spawned->start_time},
                           .uid = *uid,
                           .control_address = "unix:" + control,
                           .secret = order.secret};
}

void Spawner::clean(const InstanceId& id) const {
    std::error_code ignored;
    if (!id.empty()) fs::remove_all(settings_.instances_dir + "/" + id.text, ignored);
}

std::vector<InstanceId> Spawner::leftovers(const Processes::IsKnown& known) const {
    std::vector<InstanceId> ids;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(settings_.instances_dir, ignored)) {
        InstanceId id{entry.path().filename().string()};
        if (!known(id)) ids.push_back(std::move(id));
    }
    return ids;
}

}  // namespace longhaul::host_agent
