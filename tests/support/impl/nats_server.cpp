#include "tests/support/nats_server.hpp"

#include "longhaul/base/assert.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

extern char** environ;

namespace longhaul::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

bool listens(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool connected =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
}

}  // namespace

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    LH_ASSERT(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    LH_ASSERT(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ::close(fd);
    return ntohs(address.sin_port);
}

NatsServer::NatsServer(NatsServerOptions options)
    : options_(std::move(options)), port_(options_.port) {
    start();
}

NatsServer::~NatsServer() {
    if (pid_ != 0) kill9();
}

void NatsServer::start() {
    LH_ASSERT(pid_ == 0);
    const std::string config = folder_ / "server.conf";
    std::ofstream file{config};
    const std::string port = port_ == 0 ? "-1" : std::to_string(port_);
    file << "listen: \"127.0.0.1:" << port << "\"\nports_file_dir: \"" << folder_.path() << "\"\n"
         << options_.config;
    if (options_.jetstream)
        file << "\njetstream { store_dir: \"" << folder_ / "store"
             << "\" }\n";
    file.close();

    const std::string log = folder_ / "server.log";
    std::vector<std::string> words{"nats-server", "-c", config, "-l", log};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // Debian installs it where only root looks.
    const int failed =
        ::posix_spawn(&pid_, "/usr/sbin/nats-server", nullptr, nullptr, argv.data(), environ);
    LH_ASSERT(failed == 0);
    wait_until_it_listens();
}

void NatsServer::wait_until_it_listens() {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (true) {
        if (port_ == 0) port_ = read_port();
        if (port_ != 0 && listens(port_)) return;
        const bool died = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
        if (died || std::chrono::steady_clock::now() > until) {
            std::ifstream log{folder_ / "server.log"};
            for (std::string line; std::getline(log, line);)
                std::fprintf(stderr, "nats-server: %s\n", line.c_str());
            std::abort();
        }
        ::poll(nullptr, 0, 5);
    }
}

// The server writes `{"nats": ["nats://127.0.0.1:4711"]}` once it listens; 0 until then.
std::uint16_t NatsServer::read_port() const {
    std::ifstream file{folder_ / ("nats-server_" + std::to_string(pid_) + ".ports")};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto colon = text.find("127.0.0.1:");
    if (colon == std::string::npos || text.find('}') == std::string::npos) return 0;
    return static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 10));
}

void NatsServer::kill9() {
    LH_ASSERT(pid_ != 0);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

void NatsServer::freeze(bool frozen) { ::kill(pid_, frozen ? SIGSTOP : SIGCONT); }

}  // namespace longhaul::test
