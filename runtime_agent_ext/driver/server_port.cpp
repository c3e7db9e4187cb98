#include "runtime_agent_ext/driver/server_port.hpp"

#include "longhaul/process/tree.hpp"
#include "longhaul/process/unique_fd.hpp"
#include "runtime_agent_ext/driver/files.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace longhaul::runtime_agent_ext {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListening = "0A";

// "0100007F:1F90": the port behind the colon.
bool has_port(std::string_view address, std::uint16_t port) {
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos) return false;
    std::uint16_t found = 0;
    const std::string_view digits = address.substr(colon + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), found, 16);
    return found == port;
}

// Adds "socket:[inode]" of each socket that listens on the port. The kernel lists those that listen
// before all others.
void add_listeners(const char* table, std::uint16_t port, std::set<std::string>& out) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string number, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        if (state != kListening) return;
        if (has_port(local, port)) out.insert("socket:[" + inode + "]");
    }
}

std::set<std::string> listeners_on(std::uint16_t port) {
    std::set<std::string> sockets;
    add_listeners("/proc/net/tcp", port, sockets);
    add_listeners("/proc/net/tcp6", port, sockets);
    return sockets;
}

bool holds_one_of(pid_t pid, const std::set<std::string>& sockets) {
    std::error_code error;
    const fs::path folder = "/proc/" + std::to_string(pid) + "/fd";
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code gone;
        if (sockets.contains(fs::read_symlink(entry->path(), gone).string())) return true;
    }
    return false;
}

}  // namespace

Result<std::uint16_t> free_loopback_port() {
    const process::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (!socket || ::bind(socket.get(), plain, size) != 0 ||
        ::getsockname(socket.get(), plain, &size) != 0)
        return file_error("cannot find", "a free loopback port");
    return ntohs(address.sin_port);
}

bool is_served(std::uint16_t port) { return !listeners_on(port).empty(); }

bool is_served_below(std::uint16_t port) {
    const std::set<std::string> sockets = listeners_on(port);
    if (sockets.empty()) return false;
    return std::ranges::any_of(process::descendants_of(::getpid()), [&](const auto& process) {
        return holds_one_of(process.pid, sockets);
    });
}

}  // namespace longhaul::runtime_agent_ext
