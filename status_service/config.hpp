// What a status service can be told, with defaults and units; read_config() has the bounds.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/nats/nats_options.hpp"
#include "status_service/driver/push_bus.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul::status_service {

struct Config {
    std::string listen = "127.0.0.1:7080";        // internal
    std::string admin_listen = "127.0.0.1:7081";  // "" = none
    std::string secret{};                         // of the cluster; "" = no check

    nats::NatsOptions nats{};  // the bus
    // Without nats.urls: internal listeners of gateways, which are told over HTTP.
    std::vector<std::string> gateways{"127.0.0.1:7071"};
    PushLimits push{};

    std::uint32_t hosts_max = 10'000;
    std::uint32_t statuses_max = 100'000;             // last known ones, kept for look-ups
    std::uint64_t report_bytes_max = 8u << 20;        // of one report
    Duration forget_after = std::chrono::hours(1);    // a host that is silent
    Duration stop_timeout = std::chrono::seconds(5);  // of handlers, at the end
};

// Reads everything and ends the reading: all problems in one message.
[[nodiscard]] Result<Config> read_config(ConfigReader& reader);

}  // namespace longhaul::status_service
