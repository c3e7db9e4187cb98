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
    reader.integer("hosts_max", config.hosts_max, 1, 1'000'000, "hosts");
    reader.integer("statuses_max", config.statuses_max, 1'000, 10'000'000, "statuses");
    reader.bytes("report_bytes_max", config.report_bytes_max, 64 << 10, 8u << 20);
    reader.duration("forget_after", config.forget_after, minutes(1), hours(24 * 30));
    reader.duration("stop_timeout", config.stop_timeout, milliseconds(10), minutes(1));
    if (auto done = reader.finish(); !done) return done.error();
    return config;
}

}  // namespace longhaul::status_service
