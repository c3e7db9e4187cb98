// What a connection to NATS can be told: the section `[nats]` of gateway and status service.
//
// Values; read once, then constant. docs/configuration.md lists them.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::nats {

struct NatsOptions {
    // "nats://127.0.0.1:4222", "tls://user:secret@host:4222"; none: NATS is not used.
    std::vector<std::string> urls{};
    std::string creds_file{};  // user JWT and seed
    std::string tls_ca{};      // PEM of the authorities that are trusted; "" = the system's
    std::string tls_cert{};    // PEM, of this client; with tls_key
    std::string tls_key{};
    std::string tls_server_name{};  // name that the server's certificate must have; "" = the URL's
    std::string name = "longhaul";  // as the server shows this connection

    Duration connect_timeout = std::chrono::seconds(2);  // of one server
    Duration reconnect_wait = std::chrono::milliseconds(250);
    Duration reconnect_wait_max = std::chrono::seconds(2);  // it doubles up to this, with jitter
    Duration ping_interval = std::chrono::seconds(10);
    std::uint32_t pings_out_max = 2;                       // unanswered: then it is lost
    Duration write_timeout = std::chrono::seconds(5);      // of one write to the socket
    Duration watchdog_interval = std::chrono::seconds(5);  // a subscription silent for so long is
                                                           // probed, after two it is renewed

    // What waits between the threads of nats.c and the executor, of each subscription.
    std::uint32_t pending_max = 65'536;
    std::uint64_t pending_bytes_max = 64u << 20;
    // What waits for the socket.
    std::uint32_t outgoing_max = 16'384;
    std::uint64_t outgoing_bytes_max = 32u << 20;

    // For tests only: of the messages received so many in a hundred are lost, by this seed.
    std::uint32_t test_drop_percent = 0;
    std::uint64_t test_drop_seed = 1;
};

// Reads `prefix`.urls and so on; problems go into the reader.
void read_nats_options(ConfigReader& reader, NatsOptions& options,
                       std::string_view prefix = "nats");

// The URLs in one line, without what stands before an '@'.
[[nodiscard]] std::string shown_urls(const NatsOptions& options);

}  // namespace longhaul::nats
