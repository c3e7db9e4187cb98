#include "longhaul/net/impl/address.hpp"

#include "longhaul/net/impl/http_text.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace longhaul::net {
namespace {

Error bad_address(std::string_view text, std::string_view why) {
    return make_error(Errc::invalid_argument,
                      "the address \"" + std::string(text) + "\" " + std::string(why));
}

Error not_bound(std::string_view text, std::string_view why) {
    return make_error(Errc::unavailable,
                      "cannot listen on " + std::string(text) + ": " + std::string(why));
}

const sockaddr* raw(const StreamEndpoint& endpoint) { return endpoint.data(); }

// Removes the file of a server that is gone. False when somebody answers there.
bool clear_stale(const Address& address, const StreamEndpoint& endpoint) {
    struct stat info {};
    if (::lstat(address.host.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return true;
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return true;
    const int done = ::connect(probe, raw(endpoint), static_cast<socklen_t>(endpoint.size()));
    const bool dead = done != 0 && errno == ECONNREFUSED;
    ::close(probe);
    if (dead) ::unlink(address.host.c_str());
    return dead || done != 0;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    Address out;
    if (text.starts_with("unix:")) {
        out.is_unix = true;
        out.host = text.substr(5);
        if (out.host.empty()) return bad_address(text, "has no path");
        if (out.host.size() >= sizeof(sockaddr_un{}.sun_path))
            return bad_address(text, "has a path of more than " +
                                         std::to_string(sizeof(sockaddr_un{}.sun_path) - 1) +
                                         " bytes");
        return out;
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0)
        return bad_address(text, "is neither HOST:PORT nor unix:PATH");
    const auto port = parse_digits(text.substr(colon + 1));
    if (!port || *port > 65535) return bad_address(text, "has no port between 0 and 65535");
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    out.host = host == "localhost" ? "127.0.0.1" : host;
    out.port = static_cast<std::uint16_t>(*port);
    return out;
}

Result<void> to_endpoint(const Address& address, StreamEndpoint& out) {
    if (address.is_unix) {
        out = boost::asio::local::stream_protocol::endpoint(address.host);
        return {};
    }
    boost::system::error_code error;
    const auto ip = boost::asio::ip::make_address(address.host, error);
    if (error) return bad_address(address.host, "is no numeric IP address");
    out = boost::asio::ip::tcp::endpoint(ip, address.port);
    return {};
}

std::string to_string(const StreamEndpoint& endpoint) {
    if (endpoint.protocol().family() == AF_UNIX) return "unix";
    boost::asio::ip::tcp::endpoint tcp;
    if (endpoint.size() > tcp.capacity()) return "unknown";
    std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
    tcp.resize(endpoint.size());
    const auto host = tcp.address().to_string();
    return (tcp.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(tcp.port());
}

Result<int> open_listener(std::string_view text, const Address& address,
                          const StreamEndpoint& endpoint) {
    if (address.is_unix && !clear_stale(address, endpoint))
        return not_bound(text, "another server answers there");
    const int fd = ::socket(raw(endpoint)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return not_bound(text, std::strerror(errno));
    const int on = 1;
    if (address.is_unix)
        ::fchmod(fd, 0600);  // on Linux bind() gives the file this mode: no moment of more
    else
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = ::bind(fd, raw(endpoint), static_cast<socklen_t>(endpoint.size())) == 0 &&
                       (!address.is_unix || ::chmod(address.host.c_str(), 0600) == 0) &&
                       ::listen(fd, 4096) == 0;
    if (bound) return fd;
    const int error = errno;
    ::close(fd);
    return not_bound(text, std::strerror(error));
}

}  // namespace longhaul::net
