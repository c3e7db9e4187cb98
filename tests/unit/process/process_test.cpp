// Spawn, reap, follow and kill with real processes. Guards I10.
#include "longhaul/process/cgroup.hpp"
#include "longhaul/process/impl/orders.hpp"
#include "longhaul/process/pidfd.hpp"
#include "longhaul/process/reaper.hpp"
#include "longhaul/process/spawn.hpp"
#include "longhaul/process/tree.hpp"
#include "longhaul/system/clock.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run.hpp"
#include "tests/support/temp_folder.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace longhaul::process {
namespace {

namespace asio = boost::asio;

std::string trampoline() {
    if (const char* path = std::getenv("LONGHAUL_RUNTIME_AGENT")) return path;
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    return (self.parent_path() / "../../../bin/runtime_agent_ext").lexically_normal().string();
}

struct Bed {
    test::TempFolder folder;
    system::SystemClock clock;
    asio::io_context io{1};
    Reaper reaper{io.get_executor()};
    SpawnRequest request;

    Bed() {
        request.trampoline = trampoline();
        request.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    }
    Spawned start(std::vector<std::string> argv) {
        request.argv = std::move(argv);
        auto spawned = spawn(request);
        REQUIRE(spawned);
        return std::move(*spawned);
    }
    Result<void> confirm(Spawned& child) {
        auto task = confirm_exec(std::move(child.exec_status), clock, std::chrono::seconds(20));
        return test::run_task(io, std::move(task));
    }
    ProcessEnd end_of(pid_t pid) {
        auto task = reaper.wait(pid);
        return test::run_task(io, std::move(task));
    }
    // What `script` writes to its stdout.
    std::string output_of(const std::string& script) {
        const std::string path = folder / "out";
        const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        request.stdout_fd = file.get();
        auto child = start({"sh", "-c", script});
        (void)end_of(child.pid);
        std::ifstream in(path);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }
};

}  // namespace

TEST_CASE("orders survive their encoding") {
    SpawnRequest request;
    request.argv = {"a", "", "c d"};
    request.env = {"X=1\n2"};
    request.cwd = "/tmp";
    request.uid = 7;
    request.parent_death_signal = 9;
    request.limits = {{RLIMIT_CORE, 0, 5}};
    request.cgroups = {"/sys/x"};
    request.inherit = {{99, 4}};
    const auto orders = decode_orders(encode_orders(request, 42));
    REQUIRE(orders);
    CHECK(orders->request.argv == request.argv);
    CHECK(orders->request.env == request.env);
    CHECK(orders->request.uid == 7);
    CHECK_FALSE(orders->request.gid);
    CHECK(orders->request.limits.at(0).hard == 5);
    CHECK(orders->request.inherit.at(0).as == 4);
    CHECK(orders->parent == 42);
    CHECK_FALSE(decode_orders("arg"));
    CHECK_FALSE(decode_orders(std::string("uid\0x\0", 6)));
}

TEST_CASE("a spawned program's end is told with exit code and usage") {
    Bed bed;
    auto child = bed.start({"sh", "-c", "exit 3"});
    CHECK(child.start_time > 0);
    CHECK(bed.confirm(child));
    const auto end = bed.end_of(child.pid);
    CHECK(end.exit_code == 3);
    CHECK_FALSE(end.signal);
    CHECK(end.usage.max_rss_bytes > 0);
}

TEST_CASE("a program that cannot be executed is named with the reason") {
    Bed bed;
    auto child = bed.start({"/no/such/program"});
    const auto confirmed = bed.confirm(child);
    REQUIRE_FALSE(confirmed);
    CHECK(confirmed.error().message ==
          "cannot execute '/no/such/program': No such file or directory");
    CHECK(bed.end_of(child.pid).exit_code == 127);
}

TEST_CASE("a missing working directory and a missing trampoline are errors") {
    Bed bed;
    bed.request.cwd = "/no/such/folder";
    auto child = bed.start({"true"});
    CHECK(bed.confirm(child).error().message ==
          "cannot enter /no/such/folder: No such file or directory");
    bed.request.trampoline = "/no/such/trampoline";
    bed.request.argv = {"true"};
    const auto failed = spawn(bed.request);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::io_failed);
}

TEST_CASE("a program gets its descriptors, limits and environment, and nothing else") {
    Bed bed;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::write(ends[1], "secret", 6) == 6);
    ::close(ends[1]);
    bed.request.inherit = {{ends[0], 5}};
    bed.request.limits = {{RLIMIT_NOFILE, 77, 77}};
    const UniqueFd leaked(::open("/dev/null", O_RDONLY));  // not close-on-exec
    const std::string text =
        bed.output_of("cat <&5; echo; ulimit -n; ls /proc/self/fd | tr '\\n' ' '; echo; env | sort "
                      "| head -1; grep NoNewPrivs /proc/self/status");
    ::close(ends[0]);
    // 3 is the folder that ls reads, 5 was inherited.
    CHECK(text == "secret\n77\n0 1 2 3 5 \nPATH=/usr/local/bin:/usr/bin:/bin\nNoNewPrivs:\t1\n");
}

TEST_CASE("as root a program runs as its own user without groups") {
    if (::geteuid() != 0) return;
    Bed bed;
    bed.request.uid = 54321;
    bed.request.gid = 54322;
    CHECK(bed.output_of("id -u; id -g; id -G") == "54321\n54322\n54322\n");
}

TEST_CASE("a watch that comes after the end still hears of it") {
    Bed bed;
    auto child = bed.start({"true"});
    auto gone = wait_gone(child.pidfd, bed.clock, std::chrono::seconds(20));
    REQUIRE(test::run_task(bed.io, std::move(gone)));
    bed.io.restart();
    bed.io.poll();
    CHECK(bed.end_of(child.pid).exit_code == 0);
}

TEST_CASE("a process is its pid and its start time") {
    Bed bed;
    auto child = bed.start({"sleep", "300"});
    auto right = open_process(child.pid, child.start_time);
    REQUIRE(right);
    CHECK_FALSE(open_process(child.pid, child.start_time + 1));
    CHECK(is_alive(*right));
    CHECK(send_signal(*right, SIGKILL));
    CHECK(bed.end_of(child.pid).signal == SIGKILL);
    CHECK_FALSE(is_alive(*right));
    CHECK(send_signal(*right, SIGTERM).error().code == Errc::not_found);
    CHECK(start_time_of(child.pid).error().code == Errc::not_found);
}

TEST_CASE("kill_tree leaves nothing of a tree that forks into other sessions") {
    Bed bed;
    REQUIRE(become_subreaper());
    const std::string ready = bed.folder / "ready";
    REQUIRE(::mkfifo(ready.c_str(), 0600) == 0);
    auto child = bed.start({"sh", "-c",
                            "(setsid sh -c 'trap \"\" TERM; sleep 300 & sleep 300 & echo on > " +
                                ready + "; wait' &) ; exec sleep 300"});
    std::string word;
    std::ifstream(ready) >> word;  // blocks until it is written
    CHECK(word == "on");
    CHECK(descendants_of(::getpid()).size() >= 4);
    const Cgroup none;
    auto killing = kill_tree(::getpid(), none, bed.clock, std::chrono::seconds(10));
    CHECK(test::run_task(bed.io, std::move(killing)));
    CHECK(descendants_of(::getpid()).empty());
    CHECK(bed.end_of(child.pid).signal == SIGKILL);
}

TEST_CASE("a cgroup, where one can be made, lists and kills its members") {
    const auto cgroup = Cgroup::make("unit-test-" + std::to_string(::getpid()), {50, 0});
    if (!cgroup.has_kill()) return;
    Bed bed;
    bed.request.cgroups = cgroup.directories();
    auto child = bed.start({"sleep", "300"});
    REQUIRE(bed.confirm(child));
    CHECK(cgroup.members() == std::vector<pid_t>{child.pid});
    const auto found = Cgroup::find("unit-test-" + std::to_string(::getpid()));
    CHECK(found.members() == cgroup.members());
    CHECK(found.kill());
    CHECK(bed.end_of(child.pid).signal == SIGKILL);
    CHECK(cgroup.members()->empty());
    cgroup.remove();
    CHECK_FALSE(std::filesystem::exists(cgroup.directories().back()));
}

TEST_CASE("without a cgroup every call of one is harmless") {
    const Cgroup none;
    CHECK(none.empty());
    CHECK_FALSE(none.kill());
    CHECK_FALSE(none.members());
    CHECK(none.oom_kills() == 0);
    none.remove();
}

}  // namespace longhaul::process
