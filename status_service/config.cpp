#include "status_service/config.hpp"

namespace longhaul::status_service {

Result<Config> read_config(ConfigReader& reader) {
    using std::chrono::hours;
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    Config config;
    reader.address("listen", config.listen);
    reader.optional_address("admin_listen", config.admin_listen);
    reader.secret("secret", config.secret);
    reader.guarded("listen", config.listen, config.secret);
    nats::read_nats_options(reader, config.nats);
    reader.addresses("gateways", config.gateways);
    reader.integer("push.queued_max", config.push.queued_max, 1, 1'000'000, "messages");
    reader.bytes("push.queued_bytes_max", config.push.queued_bytes_max, 1u << 20, 1u << 30);
    reader.duration("push.call_limit", config.push.call_limit, milliseconds(100), minutes(1));
    reader.duration("push.backoff_max", config.push.backoff_max, milliseconds(50), minutes(1));
    reader.integer("hosts_max", config.hosts_max, 1, 1'000'000, "hosts");
    reader.integer("statuses_max", config.statuses_max, 1'000, 10'000'000, "statuses");
    reader.bytes("report_bytes_max", config.report_bytes_max, 64 << 10, 8u << 20);
    reader.duration("forget_after", config.forget_after, minutes(1), hours(24 * 30));
    reader.duration("stop_timeout", config.stop_timeout, milliseconds(10), minutes(1));
    if (auto done = reader.finish(); !done) return done.error();
    return config;
}

}  // namespace longhaul::status_service
