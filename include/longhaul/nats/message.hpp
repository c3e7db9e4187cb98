// What goes to NATS and what comes from it, as values: no type of nats.c leaves nats/impl.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace longhaul::nats {

// Marks the messages of the watchdog (NatsBus).
inline constexpr const char* kProbeHeader = "Longhaul-Probe";

struct NatsMessage {
    std::string subject;
    std::string payload{};
    std::string reply{};  // subject for an answer; "" = none wanted
    std::vector<std::pair<std::string, std::string>> headers{};
};

struct Incoming {
    std::string subject;
    std::string payload{};
    bool is_probe = false;       // of some bus's watchdog: proves that messages come, says nothing
    bool no_responders = false;  // the server's answer to a request that nobody listens to

    [[nodiscard]] std::size_t bytes() const { return subject.size() + payload.size(); }
};

}  // namespace longhaul::nats
