#include "gateway/config.hpp"

namespace longhaul::gateway {
namespace {

using namespace std::chrono_literals;

void read_limits(ConfigReader& reader, Config& config) {
    SchedulerLimits& scheduler = config.limits.scheduler;
    reader.integer("limits.global_max", scheduler.run.global_max, 1, 10'000'000, "attempts");
    reader.integer("limits.tenant_max", scheduler.run.tenant_max, 0, 10'000'000, "attempts");
    reader.integer("limits.queued_max", scheduler.queued_max, 1, 100'000'000, "invocations");
    reader.bytes("limits.queued_bytes_max", scheduler.queued_bytes_max, 1u << 20, 1ull << 50);
    reader.integer("limits.functions_max", scheduler.functions_max, 1, 10'000'000, "functions");
    reader.integer("limits.route_tries_max", scheduler.route_tries_max, 1, 1'000, "tries");
    reader.bytes("limits.package_max", config.limits.package_max, 1024, 1ull << 40);
    reader.duration("limits.timeout_max", config.api.timeout_max, 1s, 24h * 7);
    reader.duration("limits.wait_max", config.api.wait_max, 1s, 1h);
    reader.duration("limits.not_before_max", config.api.not_before_max, 1s, 24h * 365);
    reader.integer("limits.list_max", config.api.list_max, 1, 10'000, "entries");
    reader.integer("limits.batch_max", config.api.batch_max, 1, 10'000, "ids");
    reader.integer("limits.bulk_max", config.api.bulk_max, 1, 1'000'000, "invocations");
    reader.duration("limits.bulk_time", config.limits.bulk_time, 100ms, 1min);
    reader.integer("limits.submits_max", config.api.submits_max, 1, 100'000, "events");
    reader.bytes("limits.submits_bytes_max", config.api.submits_bytes_max, 1024, 1u << 30);
    reader.bytes("limits.document_max", config.api.document_max, 1024, 64u << 20);
    reader.integer("limits.headers_max", config.api.headers_max, 0, 1'000, "headers");
    reader.bytes("limits.headers_bytes_max", config.api.headers_bytes_max, 0, 16u << 10);
    reader.integer("limits.connections_max", config.connections_max, 1, 1'000'000, "connections");
    reader.integer("limits.body_rate_min", config.body_rate_min, 0, 1'000'000'000, "bytes/s");
    reader.duration("hosts.suspect_after", scheduler.hosts.suspect_after, 1s, 1h);
    reader.duration("hosts.grace", scheduler.hosts.host_grace, 1s, 24h);
    if (scheduler.hosts.host_grace <= scheduler.hosts.suspect_after)
        reader.problem("hosts.grace", "must be more than hosts.suspect_after");
    reader.duration("hosts.forget_after", scheduler.hosts.forget_after, 1min, 24h * 30);
    reader.duration("hosts.instances_wait", config.limits.instances_wait, 100ms, 20s);
    reader.duration("hosts.call_limit", config.limits.dispatch.call_limit, 100ms, 5min);
    reader.boolean("hosts.use_leases", scheduler.use_leases);
    reader.integer("hosts.leases_max", scheduler.leases_max, 0, 10'000'000, "instances");
    reader.duration("hosts.lease_margin", scheduler.lease_margin, 0ms, 1min);
    reader.duration("hosts.result_grace", config.limits.dispatch.result_grace, 1s, 24h);
    reader.duration("retention.ended", config.limits.ended_retention, 1min, 24h * 3650);
    reader.integer("retention.max_count", config.limits.ended_max, 0, 10'000'000'000ull,
                   "invocations");
    reader.boolean("retention.bodies", scheduler.keep_bodies);
    reader.duration("retention.keys_after_accept", config.key_kept_after_accept, 0s, 24h * 365);
    reader.duration("retention.keys_after_end", config.key_kept_after_end, 0s, 24h * 365);
    reader.duration("retention.purge_every", config.limits.purge_every, 1s, 24h);
}

void read_storage(ConfigReader& reader, Config& config) {
    reader.bytes("bodies.inline_max", config.bodies.inline_max, 0, 1u << 20);
    reader.bytes("bodies.reserve_bytes", config.bodies.reserve_bytes, 0, 1ull << 40);
    reader.bytes("storage.reserve_bytes", config.storage_reserve_bytes, 0, 1ull << 40);
    reader.bytes("journal.segment_bytes", config.journal_segment_bytes, 1u << 20, 4ull << 30);
    reader.duration("journal.inline_below", config.journal_inline_below, 0ms, 1min);
    reader.bytes("view.write_buffer_bytes", config.view_write_buffer_bytes, 64u << 10, 1u << 30);
    reader.duration("view.give_up_after", config.limits.view_give_up_after, 1s, 24h);
    reader.bytes("view.cache_bytes", config.view_cache_bytes, 1u << 20, 64ull << 30);
    reader.integer("workers", config.workers, 1, 256, "threads");
}

void read_events(ConfigReader& reader, Config& config) {
    EventLimits& events = config.limits.events;
    reader.boolean("events.publish", config.publish_events);
    reader.text("events.source", events.source);
    if (events.source.empty()) reader.problem("events.source", "must not be empty");
    reader.integer("events.backlog_max", events.backlog_max, 1, 10'000'000, "events");
    reader.bytes("events.backlog_bytes_max", events.backlog_bytes_max, 1u << 20, 64ull << 30);
    reader.integer("events.batch_max", events.batch_max, 1, 10'000, "events");
    reader.duration("events.retry_after", events.retry_after, 10ms, 5min);
    reader.duration("events.cursor_every", events.cursor_every, 10ms, 5min);
    nats::read_event_sink_options(reader, config.event_sink);
}

}  // namespace

Result<Config> read_config(ConfigReader& reader) {
    Config config;
    reader.text("data_dir", config.data_dir);
    reader.address("listen", config.listen);
    reader.address("internal_listen", config.internal_listen);
    reader.address("admin_listen", config.admin_listen);
    reader.secret("secret", config.secret);
    reader.guarded("internal_listen", config.internal_listen, config.secret);
    reader.optional_address("status_service", config.status_service);
    reader.text("blob_dir", config.blob_dir);
    blob::read_s3_options(reader, config.s3);
    reader.boolean("trust_tenant_header", config.api.trust_tenant_header);
    reader.duration("stop_timeout", config.stop_timeout, 0s, 60s);
    nats::read_nats_options(reader, config.nats);
    read_limits(reader, config);
    read_storage(reader, config);
    read_events(reader, config);
    if (auto done = reader.finish(); !done) return done.error();
    if (config.blob_dir.empty()) config.blob_dir = config.data_dir + "/blobs";
    return config;
}

}  // namespace longhaul::gateway
