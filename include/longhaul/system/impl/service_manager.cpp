#include "longhaul/system/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace longhaul::system {
namespace {

std::string take_variable(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

int connect_to(const std::string& name) {
    sockaddr_un address{};
    const bool is_abstract = name.starts_with('@');
    if (name.size() < 2 || name.size() >= sizeof address.sun_path) return -1;
    if (!is_abstract && !name.starts_with('/')) return -1;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (is_abstract) address.sun_path[0] = '\0';
    // An abstract name ends where the length says, a path with its zero.
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                             (is_abstract ? 0 : 1));
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    sockaddr_storage storage{};
    std::memcpy(&storage, &address, sizeof address);
    const void* raw = &storage;
    if (::connect(fd, static_cast<const sockaddr*>(raw), size) == 0) return fd;
    ::close(fd);
    return -1;
}

}  // namespace

ServiceManager::ServiceManager() {
    const std::string name = take_variable("NOTIFY_SOCKET");
    const auto interval = whole_number(take_variable("WATCHDOG_USEC"));
    const std::string watched = take_variable("WATCHDOG_PID");
    if (name.empty()) return;
    socket_ = connect_to(name);
    const bool is_for_us = watched.empty() || whole_number(watched) == std::int64_t{::getpid()};
    if (socket_ >= 0 && is_for_us && interval && *interval > 0) watchdog_ = Duration{*interval};
}

ServiceManager::~ServiceManager() {
    if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::notify(std::string_view state) const {
    if (socket_ < 0) return;
    (void)::send(socket_, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace longhaul::system
