#include "tests/sim/children.hpp"

#include "longhaul/base/assert.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>
#include <vector>

namespace longhaul::sim {
namespace {

struct Child {
    pid_t pid = 0;
    ChildEnd end;
};

// By the reading end of its pipe.
using Children = std::map<int, Child>;

void start(std::size_t number, const std::function<void(std::size_t)>& work, Children& children) {
    int ends[2] = {};
    LH_ASSERT(pipe(ends) == 0);
    std::fflush(nullptr);
    const pid_t pid = fork();
    LH_ASSERT(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        work(number);
        std::fflush(nullptr);
        _exit(0);
    }
    close(ends[1]);
    children[ends[0]] = Child{pid, ChildEnd{number, false, {}}};
}

// False: it has ended.
bool read_some(int file, std::string& text) {
    char buffer[4096];
    const ssize_t got = read(file, buffer, sizeof buffer);
    if (got <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
    return true;
}

}  // namespace

void run_children(std::size_t count, std::size_t at_once,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void(const ChildEnd&)>& each) {
    Children children;
    std::size_t next = 0;
    while (next < count || !children.empty()) {
        while (next < count && children.size() < at_once) start(next++, work, children);
        std::vector<pollfd> waits;
        for (const auto& [file, child] : children) waits.push_back(pollfd{file, POLLIN, 0});
        LH_ASSERT(poll(waits.data(), waits.size(), -1) > 0);
        for (const pollfd& wait : waits) {
            Child& child = children.at(wait.fd);
            if (wait.revents == 0 || read_some(wait.fd, child.end.text)) continue;
            int status = 0;
            waitpid(child.pid, &status, 0);
            child.end.ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            each(child.end);
            close(wait.fd);
            children.erase(wait.fd);
        }
    }
}

std::size_t processors() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace longhaul::sim
