#include "longhaul/process/trampoline.hpp"

#include "longhaul/process/impl/orders.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

namespace longhaul::process {
namespace {

// The sentence for a failed step, from errno.
std::string failed(const std::string& what) { return what + ": " + std::strerror(errno); }

using Problem = std::optional<std::string>;

std::string read_orders() {
    std::string all;
    char buffer[4096];
    for (;;) {
        const ssize_t count = ::read(kOrdersFd, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        all.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(kOrdersFd);
    return all;
}

Problem write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0)
        return failed("cannot write " + path);
    return std::nullopt;
}

Problem join_cgroups(const SpawnRequest& request) {
    for (const auto& directory : request.cgroups)
        if (auto problem = write_file(directory + "/cgroup.procs", "0")) return problem;
    if (request.oom_score_adj != 0)
        return write_file("/proc/self/oom_score_adj", std::to_string(request.oom_score_adj));
    return std::nullopt;
}

Problem set_limits(const SpawnRequest& request) {
    for (const auto& limit : request.limits) {
        const rlimit value{limit.soft, limit.hard};
        if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) != 0)
            return failed("cannot set resource limit " + std::to_string(limit.resource));
    }
    return std::nullopt;
}

Problem become_user(const SpawnRequest& request) {
    if (request.gid || request.uid) {
        if (::geteuid() == 0 && ::setgroups(0, nullptr) != 0)
            return failed("cannot drop supplementary groups");
    }
    if (request.gid && ::setgid(*request.gid) != 0)
        return failed("cannot become group " + std::to_string(*request.gid));
    if (request.uid && ::setuid(*request.uid) != 0)
        return failed("cannot become user " + std::to_string(*request.uid));
    if (request.no_new_privs && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failed("cannot set no_new_privs");
    return std::nullopt;
}

// After the change of user, which clears it; then a parent that died before is noticed.
Problem follow_parent(const Orders& orders) {
    if (orders.request.parent_death_signal == 0) return std::nullopt;
    if (::prctl(PR_SET_PDEATHSIG, orders.request.parent_death_signal, 0, 0, 0) != 0)
        return failed("cannot set the parent-death signal");
    if (::getppid() != orders.parent) return "the parent is gone";
    return std::nullopt;
}

void close_all_but(const std::vector<InheritedFd>& keep) {
    for (int fd = 3; fd <= kInheritMax; ++fd) {
        const bool kept =
            std::ranges::any_of(keep, [fd](const InheritedFd& item) { return item.as == fd; });
        if (!kept) ::close(fd);
    }
    for (int fd = kInheritMax + 1; fd < kOrdersFd; ++fd) ::close(fd);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (auto& word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

Problem execute(Orders& orders) {
    SpawnRequest& request = orders.request;
    if (auto problem = join_cgroups(request)) return problem;
    if (auto problem = set_limits(request)) return problem;
    if (auto problem = become_user(request)) return problem;
    if (auto problem = follow_parent(orders)) return problem;
    if (!request.cwd.empty() && ::chdir(request.cwd.c_str()) != 0)
        return failed("cannot enter " + request.cwd);
    close_all_but(request.inherit);
    auto argv = pointers(request.argv);
    auto env = pointers(request.env);
    environ = env.data();
    ::execvp(argv[0], argv.data());
    return failed("cannot execute '" + request.argv[0] + "'");
}

}  // namespace

int run_trampoline() {
    ::fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
    auto orders = decode_orders(read_orders());
    const std::string problem =
        orders ? execute(*orders).value_or("") : std::string(orders.error().message);
    if (::write(kStatusFd, problem.data(), problem.size()) < 0) return 126;
    return 127;
}

}  // namespace longhaul::process
