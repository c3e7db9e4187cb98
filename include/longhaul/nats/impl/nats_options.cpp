#include "longhaul/nats/nats_options.hpp"

namespace longhaul::nats {
namespace {

using namespace std::chrono_literals;

bool is_url(std::string_view url) {
    return url.starts_with("nats://") || url.starts_with("tls://");
}

void read_servers(ConfigReader& reader, NatsOptions& options, const std::string& section) {
    reader.texts(section + "urls", options.urls);
    for (const std::string& url : options.urls)
        if (!is_url(url))
            reader.problem(section + "urls", "must begin with nats:// or tls://, \"" +
                                                 std::string(url.substr(0, 64)) + "\" does not");
    reader.text(section + "creds_file", options.creds_file);
    reader.text(section + "tls_ca", options.tls_ca);
    reader.text(section + "tls_cert", options.tls_cert);
    reader.text(section + "tls_key", options.tls_key);
    if (options.tls_cert.empty() != options.tls_key.empty())
        reader.problem(section + "tls_cert", "and tls_key go together: one of them is missing");
    reader.text(section + "tls_server_name", options.tls_server_name);
    reader.text(section + "name", options.name);
}

}  // namespace

void read_nats_options(ConfigReader& reader, NatsOptions& options, std::string_view prefix) {
    const std::string section = std::string(prefix) + ".";
    read_servers(reader, options, section);
    reader.duration(section + "connect_timeout", options.connect_timeout, 100ms, 60s);
    reader.duration(section + "reconnect_wait", options.reconnect_wait, 10ms, 60s);
    reader.duration(section + "reconnect_wait_max", options.reconnect_wait_max, 10ms, 5min);
    if (options.reconnect_wait_max < options.reconnect_wait)
        reader.problem(section + "reconnect_wait_max", "must not be less than reconnect_wait");
    reader.duration(section + "ping_interval", options.ping_interval, 100ms, 5min);
    reader.integer(section + "pings_out_max", options.pings_out_max, 1, 100, "pings");
    reader.duration(section + "write_timeout", options.write_timeout, 100ms, 60s);
    reader.duration(section + "watchdog_interval", options.watchdog_interval, 100ms, 5min);
    reader.integer(section + "pending_max", options.pending_max, 1, 10'000'000, "messages");
    reader.bytes(section + "pending_bytes_max", options.pending_bytes_max, 1u << 10, 16ull << 30);
    reader.integer(section + "outgoing_max", options.outgoing_max, 1, 10'000'000, "messages");
    reader.bytes(section + "outgoing_bytes_max", options.outgoing_bytes_max, 1u << 10, 16ull << 30);
    reader.integer(section + "test_drop_percent", options.test_drop_percent, 0, 100, "percent");
    reader.integer(section + "test_drop_seed", options.test_drop_seed, 0, INT64_MAX, "");
}

std::string shown_urls(const NatsOptions& options) {
    std::string shown;
    for (const std::string& url : options.urls) {
        if (!shown.empty()) shown += ',';
        shown += without_user(url);
    }
    return shown;
}

}  // namespace longhaul::nats
