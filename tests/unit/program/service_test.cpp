#include "longhaul/program/service.hpp"

#include "longhaul/system/clock.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_folder.hpp"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

namespace longhaul::program {
namespace {

// What systemd is to a service: a datagram socket; "@name" is an abstract one.
class Manager {
public:
    explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@') address.sun_path[0] = '\0';
        const auto size = offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1);
        sockaddr_storage storage{};
        std::memcpy(&storage, &address, sizeof address);
        const void* raw = &storage;
        REQUIRE(::bind(fd_, static_cast<const sockaddr*>(raw), static_cast<socklen_t>(size)) == 0);
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        ::setenv("WATCHDOG_USEC", "20000", 1);
        ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    }
    ~Manager() { ::close(fd_); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // The next message; "" where none comes for 10 s.
    std::string receive() const {
        pollfd waiting{fd_, POLLIN, 0};
        char buffer[4096];
        if (::poll(&waiting, 1, 10'000) != 1) return {};
        const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
        return {buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }
    // All messages up to the one that begins with `last`, which is the end of the list.
    std::vector<std::string> until(const std::string& last) const {
        std::vector<std::string> messages;
        do messages.push_back(receive());
        while (!messages.back().empty() && !messages.back().starts_with(last));
        return messages;
    }

private:
    const int fd_;
};

class Part final : public Service {
public:
    boost::asio::awaitable<Result<Facts>> start() override {
        if (broken) co_return make_error(Errc::unavailable, "the port is taken");
        co_return Facts{{"internal", "127.0.0.1:1234"}};
    }
    void refuse_new_work() override { refused = true; }
    boost::asio::awaitable<void> stop() override {
        stopped = true;
        co_return;
    }

    bool broken = false;
    bool refused = false;
    bool stopped = false;
};

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

int run_part(Part& part, const std::string& ready_file) {
    boost::asio::io_context io{1};
    system::SystemClock clock;
    return run(io, clock, Logger{}, "tester", ready_file, part);
}

}  // namespace

TEST_CASE("the service manager hears of readiness, of the loop that turns, and of the stop") {
    const test::TempFolder folder;
    const std::string name = GENERATE(as<std::string>{}, "path", "@longhaul-test-");
    const Manager manager(name == "path" ? folder / "notify" : name + folder.path().substr(5));
    std::vector<std::string> messages;
    std::string ready;
    std::thread other([&] {
        messages = manager.until("READY=1");
        ready = content(folder / "ready.json");
        for (int beats = 0; beats < 3; ++beats) messages.push_back(manager.receive());
        ::kill(::getpid(), SIGTERM);
        for (const std::string& message : manager.until("STOPPING=1")) messages.push_back(message);
    });
    Part part;
    const int exit_code = run_part(part, folder / "ready.json");
    other.join();
    CHECK(exit_code == 0);
    CHECK(part.refused);
    CHECK(part.stopped);
    REQUIRE(messages.size() >= 6);
    CHECK(messages[0] == "STATUS=starting");
    CHECK(messages[1] == "READY=1\nSTATUS=ready: internal 127.0.0.1:1234");
    CHECK(messages[2] == "WATCHDOG=1");
    CHECK(messages[4] == "WATCHDOG=1");
    CHECK(messages.back() == "STOPPING=1\nSTATUS=stopping");
    CHECK(ready.find("\"internal\":\"127.0.0.1:1234\"") != std::string::npos);
    CHECK(ready.find("\"pid\":" + std::to_string(::getpid())) != std::string::npos);
    CHECK(content(folder / "ready.json") == "");
    CHECK(::getenv("NOTIFY_SOCKET") == nullptr);
}

TEST_CASE("what cannot start says why, leaves no ready file, and is stopped all the same") {
    const test::TempFolder folder;
    std::ofstream(folder / "ready.json") << "of an earlier life";
    Part part;
    part.broken = true;
    CHECK(run_part(part, folder / "ready.json") == 1);
    CHECK(part.stopped);
    CHECK(content(folder / "ready.json") == "");
}

TEST_CASE("without a service manager nothing is told and nothing fails") {
    ::setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    Part part;
    part.broken = true;
    CHECK(run_part(part, "") == 1);
}

}  // namespace longhaul::program
