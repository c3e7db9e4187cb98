#include "host_agent/config.hpp"

namespace longhaul::host_agent {

Result<Config> read_config(ConfigReader& reader) {
    using std::chrono::hours;
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    using std::chrono::seconds;
    Config config;
    reader.text("data_dir", config.data_dir);
    reader.text("host_id", config.host_id);
    reader.address("listen", config.listen);
    reader.optional_address("admin_listen", config.admin_listen);
    reader.optional_address("advertise", config.advertise);
    const bool is_wildcard =
        config.listen.starts_with("0.0.0.0:") || config.listen.starts_with("[::]:");
    if (is_wildcard && config.advertise.empty())
        reader.problem("advertise", "is needed where listen is a wildcard: nobody can call that");
    reader.address("status_service", config.status_service);
    reader.secret("secret", config.secret);
    reader.guarded("listen", config.listen, config.secret);
    reader.text("blob_dir", config.blob_dir);
    blob::read_s3_options(reader, config.s3);
    reader.text("runtime_agent", config.runtime_agent);
    reader.text("function_path", config.function_path);
    reader.integer("memory_mb", config.memory_mb, 0, 64 << 20, "MiB");
    reader.integer("cpu_millis", config.cpu_millis, 0, 10'000'000, "thousandths of a processor");
    reader.integer("instances_max", config.instances_max, 1, 10'000, "instances");
    reader.integer("runs_max", config.runs_max, 1, 1'000'000, "runs");
    reader.integer("uid_first", config.uid_first, 1'000, 2'000'000'000, "uid");
    reader.integer("uid_count", config.uid_count, 1, 1'000'000, "uids");
    reader.text("uid_claims_dir", config.uid_claims_dir);
    reader.integer("pids_max", config.pids_max, 8, 100'000, "processes");
    reader.boolean("cgroups", config.cgroups);
    reader.bytes("run_log_max", config.run_log_max, 1 << 10, 16ull << 30);
    reader.bytes("file_max", config.file_max, 1 << 20, 1ull << 50);
    reader.integer("open_files_max", config.open_files_max, 64, 1'000'000, "files");
    reader.duration("take_lease", config.take_lease, seconds(1), minutes(10));
    reader.duration("instance_lease", config.instance_lease, seconds(0), minutes(10));
    reader.duration("start_timeout", config.start_timeout, milliseconds(100), minutes(5));
    reader.duration("control_timeout", config.control_timeout, milliseconds(100), minutes(1));
    reader.duration("hear_timeout", config.hear_timeout, milliseconds(10), minutes(1));
    reader.integer("hear_at_once", config.hear_at_once, 1, 10'000, "runtime agents");
    reader.duration("destroy_timeout", config.destroy_timeout, milliseconds(100), minutes(5));
    reader.duration("drain_by", config.drain_by, seconds(0), hours(24 * 7));
    reader.duration("drain_grace", config.drain_grace, seconds(0), hours(1));
    reader.duration("alone_after", config.alone_after, seconds(1), hours(24));
    reader.duration("fence_retention", config.fence_retention, minutes(1), hours(24 * 30));
    reader.integer("fences_max", config.fences_max, 1'000, 10'000'000, "fences");
    reader.bytes("package_max", config.package_max, 1 << 10, 10ull << 30);
    reader.bytes("package_cache_max", config.package_cache_max, 1 << 20, 1ull << 50);
    reader.bytes("unpacked_max", config.unpacked_max, 1 << 20, 100ull << 30);
    reader.integer("unpacked_entries_max", config.unpacked_entries_max, 1, 10'000'000, "entries");
    reader.duration("fetch_timeout", config.fetch_timeout, seconds(1), hours(1));
    reader.duration("log_retention", config.log_retention, minutes(1), hours(24 * 365));
    reader.bytes("log_bytes_max", config.log_bytes_max, 1 << 20, 1ull << 50);
    reader.duration("announce_interval", config.announce_interval, milliseconds(50), minutes(1));
    reader.duration("report_timeout", config.report_timeout, milliseconds(100), minutes(1));
    reader.duration("report_backoff_max", config.report_backoff_max, milliseconds(100), minutes(1));
    reader.duration("progress_wait", config.progress_wait, milliseconds(0), minutes(1));
    reader.duration("digest_interval", config.digest_interval, seconds(1), hours(1));
    reader.integer("report_entries_max", config.report_entries_max, 1, 500, "entries");
    reader.bytes("report_bytes_max", config.report_bytes_max, 64 << 10, 8u << 20);
    reader.integer("journal_compact_records", config.journal_compact_records, 100, 10'000'000,
                   "records");
    reader.bytes("journal_segment_bytes", config.journal_segment_bytes, 1u << 20, 4ull << 30);
    reader.duration("stop_timeout", config.stop_timeout, milliseconds(10), minutes(1));
    if (auto done = reader.finish(); !done) return done.error();
    return config;
}

}  // namespace longhaul::host_agent
