#include "tests/support/deaf_nats_server.hpp"

#include "longhaul/base/assert.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

namespace longhaul::test {
namespace {

constexpr int kPollMs = 5;

bool readable(int fd) {
    pollfd wanted{fd, POLLIN, 0};
    return ::poll(&wanted, 1, kPollMs) == 1;
}

bool matches(const std::string& pattern, const std::string& subject) {
    if (pattern == subject) return true;
    if (!pattern.ends_with(".*")) return false;
    const std::string_view stem = std::string_view(pattern).substr(0, pattern.size() - 1);
    return subject.starts_with(stem) && subject.find('.', stem.size()) == std::string::npos;
}

void send_all(int fd, const std::string& text) {
    static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL));
}

// What one connection has sent so far: lines, and payloads by their size.
class Input {
public:
    explicit Input(int fd) : fd_(fd) {}

    // False at the end of the connection.
    bool fill() {
        char chunk[16 * 1024];
        const ssize_t count = ::recv(fd_, chunk, sizeof chunk, 0);
        if (count > 0) bytes_.append(chunk, static_cast<std::size_t>(count));
        return count > 0;
    }
    std::optional<std::string> line() {
        const auto end = bytes_.find("\r\n");
        if (end == std::string::npos) return std::nullopt;
        return bytes_.substr(0, end);
    }
    // The line and `count` bytes behind it; nothing if they are not all there.
    std::optional<std::string> take(const std::string& line, std::size_t count) {
        const std::size_t whole = line.size() + 2 + count;
        if (bytes_.size() < whole) return std::nullopt;
        std::string payload = bytes_.substr(line.size() + 2, count);
        bytes_.erase(0, whole);
        return payload;
    }

private:
    const int fd_;
    std::string bytes_;
};

}  // namespace

DeafNatsServer::DeafNatsServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    LH_ASSERT(::bind(listener_, any, size) == 0);
    LH_ASSERT(::listen(listener_, 8) == 0);
    LH_ASSERT(::getsockname(listener_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { run(); }};
}

DeafNatsServer::~DeafNatsServer() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
}

void DeafNatsServer::run() {
    while (!stopping_) {
        if (!readable(listener_)) continue;
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        ++connections_;
        deaf_ = false;
        serve(fd);
        ::close(fd);
    }
}

void DeafNatsServer::serve(int fd) {
    send_all(fd,
             "INFO {\"server_id\":\"deaf\",\"version\":\"2.9.0\",\"proto\":1,\"headers\":true,"
             "\"max_payload\":1048576}\r\n");
    std::map<std::string, std::string> patterns;  // by the client's number
    Input input{fd};
    while (!stopping_) {
        if (!readable(fd)) continue;
        if (!input.fill()) return;
        while (const auto line = input.line()) {
            if (forget_.exchange(false)) patterns.clear();
            std::istringstream text{*line};
            std::vector<std::string> words{std::istream_iterator<std::string>{text}, {}};
            const std::string verb = words.empty() ? "" : words[0];
            const bool publishes = verb == "PUB" || verb == "HPUB";
            const auto payload = input.take(*line, publishes ? std::stoul(words.back()) + 2 : 0);
            if (!payload) break;
            if (verb == "PING") send_all(fd, "PONG\r\n");
            if (verb == "UNSUB") patterns.erase(words[1]);
            if (verb == "SUB") {
                patterns[words.back()] = words[1];
                ++subscriptions_;
            }
            if (!publishes || deaf_) continue;
            // The sizes are the last words of what comes and of what goes.
            const std::string sizes =
                verb == "PUB" ? words.back() : words[words.size() - 2] + " " + words.back();
            for (const auto& [number, pattern] : patterns)
                if (matches(pattern, words[1]))
                    send_all(fd, (verb == "PUB" ? "MSG " : "HMSG ") + words[1] + " " + number +
                                     " " + sizes + "\r\n" + *payload);
        }
    }
}

}  // namespace longhaul::test
