#include "longhaul/base/config.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <charconv>

namespace longhaul {
namespace {

// Without the brackets of IPv6; "" where there is no colon before a port.
std::string_view host_of(std::string_view address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos) return {};
    std::string_view host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    return host;
}

bool is_numeric_host(const std::string& host) {
    in6_addr unused{};
    return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &unused) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

}  // namespace

Result<void> check_address(std::string_view text) {
    const auto bad = [text](std::string_view why) {
        return make_error(Errc::invalid_argument, fmt::format("'{}' {}", text, why));
    };
    if (text.starts_with("unix:")) {
        if (text.size() == 5) return bad("has no path");
        return {};
    }
    const std::string host{host_of(text)};
    if (host.empty()) return bad("is neither IP:PORT nor unix:PATH");
    if (!is_numeric_host(host)) return bad("has no numeric IP address before its port");
    const std::string_view digits = text.substr(text.rfind(':') + 1);
    std::uint32_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port > 65535)
        return bad("has no port between 0 and 65535");
    return {};
}

bool is_loopback(std::string_view address) {
    if (address.starts_with("unix:")) return true;
    const std::string_view host = host_of(address);
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace longhaul
