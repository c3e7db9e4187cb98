#include "longhaul/process/cgroup.hpp"

#include "longhaul/process/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace longhaul::process {
namespace {

constexpr std::string_view kPrefix = "longhaul-";

std::string read_text(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    if (!file) return text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
        if (count <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

bool write_text(const std::string& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return false;
    const auto size = static_cast<ssize_t>(text.size());
    return ::write(file.get(), text.data(), text.size()) == size;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// This process's own path in the hierarchy whose line in /proc/self/cgroup has this middle: "" for
// v2, "pids" for a v1 controller.
std::string own_path(std::string_view controller) {
    const std::string text = read_text("/proc/self/cgroup");
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        if (line.substr(first + 1, second - first - 1) == controller) {
            const auto path = line.substr(second + 1);
            return path == "/" ? "" : std::string(path);
        }
    }
    return "";
}

// A child of this process's own cgroup; where that is not writable, of the hierarchy's root.
std::string make_leaf(const std::string& mount, std::string_view controller,
                      const std::string& name) {
    for (const std::string& parent : {own_path(controller), std::string()}) {
        const std::string path = mount + parent + "/" + std::string(kPrefix) + name;
        if (!exists(mount + parent + "/cgroup.procs")) continue;
        if (::mkdir(path.c_str(), 0755) == 0 || exists(path + "/cgroup.procs")) {
            if (::access((path + "/cgroup.procs").c_str(), W_OK) == 0) return path;
        }
    }
    return "";
}

std::string make_v2_leaf(const std::string& name) {
    for (const std::string mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (!exists(mount + "/cgroup.controllers")) continue;
        const std::string path = make_leaf(mount, "", name);
        if (path.empty()) continue;
        if (exists(path + "/cgroup.kill")) return path;
        ::rmdir(path.c_str());
    }
    return "";
}

}  // namespace

Cgroup Cgroup::make(const std::string& name, const CgroupLimits& limits) {
    Cgroup cgroup;
    cgroup.v2_ = make_v2_leaf(name);
    const auto limit = [&](std::string_view controller, const char* v2_file, const char* v1_file,
                           std::uint64_t value) {
        if (value == 0) return;
        const std::string text = std::to_string(value);
        if (!cgroup.v2_.empty() && write_text(cgroup.v2_ + "/" + v2_file, text)) return;
        const std::string mount = "/sys/fs/cgroup/" + std::string(controller);
        const std::string path = make_leaf(mount, controller, name);
        if (!path.empty()) {
            cgroup.v1_.push_back(path);
            if (write_text(path + "/" + v1_file, text)) return;
        }
        cgroup.missing_.emplace_back(controller);
    };
    limit("pids", "pids.max", "pids.max", limits.pids_max);
    limit("memory", "memory.max", "memory.limit_in_bytes", limits.memory_max_bytes);
    return cgroup;
}

Cgroup Cgroup::find(const std::string& name) {
    Cgroup cgroup;
    const std::string leaf = "/" + std::string(kPrefix) + name;
    const auto look = [&leaf](const std::string& mount, std::string_view controller) {
        for (const std::string& parent : {own_path(controller), std::string()}) {
            const std::string path = mount + parent + leaf;
            if (exists(path + "/cgroup.procs")) return path;
        }
        return std::string();
    };
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        if (cgroup.v2_.empty() && exists(std::string(mount) + "/cgroup.controllers"))
            cgroup.v2_ = look(mount, "");
    for (const std::string controller : {"pids", "memory"})
        if (auto path = look("/sys/fs/cgroup/" + controller, controller); !path.empty())
            cgroup.v1_.push_back(std::move(path));
    return cgroup;
}

std::vector<std::string> Cgroup::directories() const {
    auto result = v1_;
    if (!v2_.empty()) result.push_back(v2_);
    return result;
}

bool Cgroup::kill() const { return !v2_.empty() && write_text(v2_ + "/cgroup.kill", "1"); }

std::optional<std::vector<pid_t>> Cgroup::members() const {
    if (v2_.empty()) return std::nullopt;
    std::vector<pid_t> result;
    const std::string text = read_text(v2_ + "/cgroup.procs");
    const char* at = text.c_str();
    for (;;) {
        char* end = nullptr;
        const long pid = std::strtol(at, &end, 10);
        if (end == at) return result;
        result.push_back(static_cast<pid_t>(pid));
        at = end;
    }
}

std::uint64_t Cgroup::oom_kills() const {
    std::uint64_t total = 0;
    for (const auto& directory : directories()) {
        for (const char* name : {"/memory.events", "/memory.oom_control"}) {
            const std::string text = read_text(directory + name);
            constexpr std::string_view kCounter = "oom_kill ";
            if (const auto at = text.find(kCounter); at != std::string::npos)
                total += std::strtoull(text.c_str() + at + kCounter.size(), nullptr, 10);
        }
    }
    return total;
}

void Cgroup::remove() const {
    for (const auto& directory : directories()) ::rmdir(directory.c_str());
}

}  // namespace longhaul::process
