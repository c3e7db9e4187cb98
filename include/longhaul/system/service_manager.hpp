// Tells the service manager that started us (systemd's protocol, sd_notify(3)): datagrams to the
// socket in $NOTIFY_SOCKET, a path or, with '@' in front, an abstract name.
//
// Takes the variables out of the environment at construction, so that no child speaks for us.
// Without them every call does nothing. Never blocks: a message that does not fit is lost.
#pragma once

#include "longhaul/base/time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace longhaul::system {

class ServiceManager {
public:
    ServiceManager();  // before there is a second thread: it changes the environment
    ~ServiceManager();
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    // "READY=1\nSTATUS=…": assignments, a line each.
    void notify(std::string_view state) const;

    // Within it WATCHDOG=1 must come, at best twice; nothing where nobody watches.
    [[nodiscard]] std::optional<Duration> watchdog_interval() const { return watchdog_; }

private:
    int socket_ = -1;
    std::optional<Duration> watchdog_{};
};

}  // namespace longhaul::system
