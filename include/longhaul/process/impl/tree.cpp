#include "longhaul/process/tree.hpp"

#include "longhaul/port/clock.hpp"
#include "longhaul/process/impl/proc_stat.hpp"
#include "longhaul/process/pidfd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

namespace longhaul::process {
namespace {

constexpr int kLookAgainMs = 2;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string read_small_file(const std::string& path) {
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

std::vector<pid_t> numbers_in(const std::string& directory_name) {
    std::vector<pid_t> result;
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(directory_name.c_str()));
    if (!directory) return result;
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        pid_t number = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
        if (parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size())
            result.push_back(number);
    }
    return result;
}

// From /proc/<pid>/task/*/children, which not every kernel has.
std::vector<pid_t> listed_children(pid_t pid) {
    std::vector<pid_t> result;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const pid_t task : numbers_in(tasks)) {
        const std::string text = read_small_file(tasks + "/" + std::to_string(task) + "/children");
        const char* at = text.data();
        const char* const end = at + text.size();
        while (at < end) {
            pid_t child = 0;
            const auto parsed = std::from_chars(at, end, child);
            if (parsed.ec == std::errc{}) result.push_back(child);
            at = parsed.ptr + 1;
        }
    }
    return result;
}

bool kernel_lists_children() {
    static const bool there = ::access("/proc/thread-self/children", R_OK) == 0;
    return there;
}

void add_if_alive(const std::optional<ProcStat>& stat, std::vector<ProcessId>& out) {
    if (stat && !stat->is_dead()) out.push_back({stat->pid, stat->start_time});
}

std::vector<ProcessId> walk_lists(pid_t root) {
    std::vector<ProcessId> result;
    std::vector<pid_t> open{root};
    while (!open.empty()) {
        const pid_t pid = open.back();
        open.pop_back();
        for (const pid_t child : listed_children(pid)) {
            add_if_alive(read_proc_stat(child), result);
            open.push_back(child);
        }
    }
    return result;
}

std::vector<ProcessId> walk_all(pid_t root) {
    std::multimap<pid_t, ProcStat> by_parent;
    for (const pid_t pid : numbers_in("/proc"))
        if (const auto stat = read_proc_stat(pid)) by_parent.emplace(stat->parent, *stat);
    std::vector<ProcessId> result;
    std::vector<pid_t> open{root};
    while (!open.empty()) {
        const auto [first, last] = by_parent.equal_range(open.back());
        open.pop_back();
        for (auto it = first; it != last; ++it) {
            add_if_alive(it->second, result);
            open.push_back(it->second.pid);
        }
    }
    return result;
}

bool nothing_left(pid_t root, const Cgroup& cgroup) {
    const auto members = cgroup.members();
    return (!members || members->empty()) && descendants_of(root).empty();
}

std::vector<ProcessId> processes_of(uid_t uid) {
    std::vector<ProcessId> result;
    for (const pid_t pid : numbers_in("/proc")) {
        struct stat about {};
        const std::string path = "/proc/" + std::to_string(pid);
        if (::stat(path.c_str(), &about) == 0 && about.st_uid == uid)
            add_if_alive(read_proc_stat(pid), result);
    }
    return result;
}

}  // namespace

std::optional<ProcStat> read_proc_stat(pid_t pid) {
    const std::string text = read_small_file("/proc/" + std::to_string(pid) + "/stat");
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
    ProcStat stat;
    stat.pid = pid;
    stat.state = text[name_end + 2];
    const char* at = text.c_str() + name_end + 3;
    // Field 4 follows (proc(5)); the ones between are passed over.
    for (int field = 4; field <= 22; ++field) {
        char* end = nullptr;
        const long long value = std::strtoll(at, &end, 10);
        if (end == at) return std::nullopt;
        at = end;
        if (field == 4) stat.parent = static_cast<pid_t>(value);
        if (field >= 14 && field <= 17) stat.cpu_ticks += static_cast<std::uint64_t>(value);
        if (field == 22) stat.start_time = static_cast<std::uint64_t>(value);
    }
    return stat;
}

std::vector<ProcessId> descendants_of(pid_t root) {
    auto result = kernel_lists_children() ? walk_lists(root) : walk_all(root);
    std::ranges::sort(result);
    return result;
}

Result<void> become_subreaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return {};
    return make_error(Errc::io_failed,
                      std::string("cannot become a subreaper: ") + std::strerror(errno));
}

std::size_t kill_once(pid_t root, const Cgroup& cgroup) {
    std::size_t found = cgroup.members().value_or(std::vector<pid_t>{}).size();
    if (found > 0) cgroup.kill();
    for (const ProcessId& process : descendants_of(root)) {
        auto pidfd = open_process(process.pid, process.start_time);
        if (!pidfd) continue;
        if (send_signal(*pidfd, SIGKILL)) ++found;
    }
    return found;
}

boost::asio::awaitable<bool> kill_tree(pid_t root, const Cgroup& cgroup, port::Clock& clock,
                                       Duration limit) {
    const TimePoint until = clock.now() + limit;
    Duration pause = std::chrono::milliseconds(1);
    for (;;) {
        kill_once(root, cgroup);
        // Listed twice: one pass over /proc can miss a process that forks and ends meanwhile.
        if (nothing_left(root, cgroup) && nothing_left(root, cgroup)) co_return true;
        if (clock.now() >= until) co_return false;
        co_await clock.wait_until(clock.now() + pause);
        pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(20));
    }
}

LiveUsage usage_of(pid_t pid) {
    LiveUsage usage;
    if (const auto stat = read_proc_stat(pid))
        usage.cpu_seconds =
            static_cast<double>(stat->cpu_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    const std::string status = read_small_file("/proc/" + std::to_string(pid) + "/status");
    constexpr std::string_view kPeak = "VmHWM:";
    if (const auto at = status.find(kPeak); at != std::string::npos)
        usage.max_rss_bytes = std::strtoull(status.c_str() + at + kPeak.size(), nullptr, 10) * 1024;
    return usage;
}

void reset_peak_memory(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/clear_refs";
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    // proc(5): 5 resets the peak to what is resident now.
    if (file && ::write(file.get(), "5", 1) != 1) return;
}

bool kill_orphans(const Cgroup& cgroup, uid_t uid, Duration limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (true) {
        std::vector<ProcessId> left = uid == 0 ? std::vector<ProcessId>{} : processes_of(uid);
        const auto members = cgroup.members();
        if (members)
            for (const pid_t member : *members) add_if_alive(read_proc_stat(member), left);
        if (left.empty()) return true;
        if (std::chrono::steady_clock::now() >= until) return false;
        cgroup.kill();
        for (const ProcessId& process : left)
            if (const auto pidfd = open_process(process.pid, process.start_time))
                static_cast<void>(send_signal(*pidfd, SIGKILL));
        // An orphan's end is nobody's to be told of: it is looked for again.
        static_cast<void>(::poll(nullptr, 0, kLookAgainMs));
    }
}

}  // namespace longhaul::process
