// What is said about attempts and hosts: entries, announcements, reports, batches.
#include "longhaul/base/text.hpp"
#include "longhaul/wire/base64.hpp"
#include "longhaul/wire/impl/host_fields.hpp"

#include <algorithm>
#include <limits>

namespace longhaul::wire {
namespace fields {
namespace {

constexpr std::size_t kLoadedMax = 20'000;
constexpr std::size_t kPackagesMax = 20'000;

template <class Value>
void write_optional(Json& json, std::string_view name, const std::optional<Value>& value) {
    if (value) json.set(name, *value);
}

template <class Value>
void read_optional(ObjectReader& reader, std::string_view name, std::optional<Value>& out,
                   std::int64_t min, std::int64_t max) {
    Value value{};
    if (reader.number(name, value, min, max)) out = value;
}

template <class Enum>
void read_enum(ObjectReader& reader, std::string_view name, std::optional<Enum>& out,
               std::optional<Enum> (*from_text)(std::string_view)) {
    std::string text;
    if (!reader.text(name, text)) return;
    out = from_text(text);
    if (!out) reader.fail(name, "is unknown: '" + text.substr(0, 64) + "'");
}

Json write_result(const ResultReference& result) {
    Json json = Json::object();
    if (result.is_inline) {
        json.set("inline", base64_encode(result.bytes));
    } else {
        json.set("size", result.size);
    }
    if (!result.sha256.empty()) json.set("sha256", result.sha256);
    // The runtime's own words: they may not spoil the whole entry.
    const bool is_fit = result.content_type.size() <= 256 && is_printable(result.content_type);
    if (is_fit && !result.content_type.empty()) json.set("content_type", result.content_type);
    return json;
}

void read_result(ObjectReader& outer, std::optional<ResultReference>& out) {
    const Json* json = outer.member("result");
    if (!json) return;
    ObjectReader reader(*json);
    ResultReference result;
    std::string encoded;
    result.is_inline = reader.text("inline", encoded);
    if (result.is_inline) {
        auto bytes = encoded.size() > kInlineResultMax * 2
                         ? make_error(Errc::too_large, "too large")
                         : base64_decode(encoded);
        if (!bytes) {
            reader.fail("inline", bytes.error().message);
        } else if (bytes->size() > kInlineResultMax) {
            reader.fail("inline", "has more than 64KiB");
        } else {
            result.bytes = std::move(*bytes);
            result.size = result.bytes.size();
        }
    } else {
        reader.require("size");
        read_count(reader, "size", result.size);
    }
    read_text(reader, "sha256", result.sha256, 64);
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    const bool is_digest = result.sha256.size() == 64 &&
                           std::all_of(result.sha256.begin(), result.sha256.end(), is_hex);
    if (!is_digest && !(result.is_inline && result.sha256.empty())) {
        reader.fail("sha256", "must be 64 lower-case hex digits");
    }
    read_printable(reader, "content_type", result.content_type, 256, Presence::optional);
    pass_on(outer, "result", reader);
    out = std::move(result);
}

Json write_progress(const Progress& progress) {
    Json json = Json::object();
    json.set("percent", progress.percent);
    if (!progress.message.empty()) {
        json.set("message", to_utf8(progress.message, kProgressMessageMax));
    }
    json.set("at_us", std::int64_t{progress.at.time_since_epoch().count()});
    return json;
}

void read_progress(ObjectReader& outer, std::optional<Progress>& out) {
    const Json* json = outer.member("progress");
    if (!json) return;
    ObjectReader reader(*json);
    Progress progress;
    reader.real("percent", progress.percent);
    if (progress.percent < 0 || progress.percent > 100) {
        reader.fail("percent", "must be between 0 and 100");
    }
    read_text(reader, "message", progress.message, kProgressMessageMax);
    std::int64_t at_us = 0;
    reader.integer("at_us", at_us, 0, kMsMax * 1000);
    progress.at = TimePoint{Duration{at_us}};
    pass_on(outer, "progress", reader);
    out = std::move(progress);
}

Json write_lease(const InstanceLease& lease) {
    Json json = Json::object();
    json.set("address", lease.address);
    json.set("run_token", lease.run_token);
    json.set("ms", lease.ms);
    return json;
}

void read_lease(ObjectReader& outer, std::optional<InstanceLease>& out) {
    const Json* json = outer.member("lease");
    if (!json) return;
    ObjectReader reader(*json);
    InstanceLease lease;
    read_printable(reader, "address", lease.address, 255, Presence::required);
    read_printable(reader, "run_token", lease.run_token, 256, Presence::required);
    reader.require("ms");
    reader.integer("ms", lease.ms, 0, kMsMax);
    pass_on(outer, "lease", reader);
    out = std::move(lease);
}

void read_usage(ObjectReader& outer, Usage& out) {
    const Json* json = outer.member("usage");
    if (!json) return;
    ObjectReader reader(*json);
    reader.real("cpu_seconds", out.cpu_seconds);
    if (out.cpu_seconds < 0) reader.fail("cpu_seconds", "must not be negative");
    read_count(reader, "max_rss_bytes", out.max_rss_bytes);
    pass_on(outer, "usage", reader);
}

void write_end(Json& json, const StatusEntry& value) {
    if (value.outcome) json.set("outcome", to_string(*value.outcome));
    if (value.reason) json.set("reason", to_string(*value.reason));
    if (!value.message.empty()) json.set("message", to_utf8(value.message, kMessageMax));
    if (!value.error_type.empty()) json.set("error_type", to_utf8(value.error_type, kErrorTypeMax));
    write_optional(json, "exit_code", value.exit_code);
    write_optional(json, "signal", value.signal);
    write_optional(json, "http_status", value.http_status);
    write_optional(json, "retry_after_ms", value.retry_after_ms);
    if (value.oom) json.set("oom", true);
    if (value.result) json.set("result", write_result(*value.result));
}

void read_end(ObjectReader& reader, StatusEntry& out) {
    read_enum(reader, "outcome", out.outcome, &attempt_outcome_from);
    read_enum(reader, "reason", out.reason, &failure_reason_from);
    if (out.outcome && out.rank != Rank::ended) reader.fail("outcome", "needs rank 5, ended");
    if (!out.outcome && out.rank == Rank::ended)
        reader.fail("outcome", "is missing at rank 5, ended");
    read_text(reader, "message", out.message, kMessageMax);
    read_text(reader, "error_type", out.error_type, kErrorTypeMax);
    read_optional(reader, "exit_code", out.exit_code, std::numeric_limits<int>::min(),
                  std::numeric_limits<int>::max());
    read_optional(reader, "signal", out.signal, 0, 128);
    read_optional(reader, "http_status", out.http_status, 0, 999);
    read_optional(reader, "retry_after_ms", out.retry_after_ms, 0, kMsMax);
    reader.boolean("oom", out.oom);
    read_result(reader, out.result);
}

void read_stop(ObjectReader& outer, StatusEntry& out) {
    const Json* json = outer.member("stop");
    if (!json) return;
    ObjectReader reader(*json);
    std::optional<StopCause> cause;
    read_enum(reader, "cause", cause, &stop_cause_from);
    out.stop_cause = cause.value_or(StopCause::none);
    reader.boolean("sigkill_sent", out.sigkill_sent);
    reader.boolean("tree_gone", out.tree_gone);
    pass_on(outer, "stop", reader);
}

Json write_capacity(const HostCapacity& capacity) {
    Json json = Json::object();
    json.set("memory_mb", capacity.memory_mb);
    json.set("cpu_millis", capacity.cpu_millis);
    json.set("instances_max", capacity.instances_max);
    return json;
}

void read_capacity(ObjectReader& outer, HostCapacity& out) {
    const Json* json = outer.member("capacity");
    if (!json) return;
    ObjectReader reader(*json);
    reader.number("memory_mb", out.memory_mb, 0, UINT32_MAX);
    reader.number("cpu_millis", out.cpu_millis, 0, UINT32_MAX);
    reader.number("instances_max", out.instances_max, 0, 1'000'000);
    pass_on(outer, "capacity", reader);
}

Json write_orders(const ReportAnswer& answer) {
    Json json = Json::object();
    if (answer.snapshot_please) json.set("snapshot", true);
    write_optional(json, "drain", answer.drain);
    if (answer.epoch_floor != 0) json.set("epoch_floor", answer.epoch_floor);
    return json;
}

void read_orders(ObjectReader& outer, ReportAnswer& out) {
    const Json* json = outer.member("orders");
    if (!json) return;
    ObjectReader reader(*json);
    reader.boolean("snapshot", out.snapshot_please);
    bool drain = false;
    if (reader.boolean("drain", drain)) out.drain = drain;
    read_count(reader, "epoch_floor", out.epoch_floor);
    pass_on(outer, "orders", reader);
}

void read_packages(ObjectReader& reader, std::vector<Digest>& out) {
    std::vector<std::string> texts;
    reader.texts("packages", texts);
    if (texts.size() > kPackagesMax) return reader.fail("packages", "are too many");
    for (const std::string& text : texts) {
        auto digest = parse_digest(text);
        if (!digest) return reader.fail("packages", "are wrong: " + digest.error().message);
        out.push_back(std::move(*digest));
    }
}

// Wrong entries are named and left out: one broken run must not silence its host.
void read_report_entries(const Json::Array& items, Report& out) {
    for (std::size_t index = 0; index < items.size(); ++index) {
        StatusEntry entry;
        const auto done = read(items[index], {}, entry);
        if (done) {
            out.entries.push_back(std::move(entry));
        } else {
            out.skipped.push_back("entry " + std::to_string(index) + ": " + done.error().message);
        }
    }
}

}  // namespace

Json write(const LoadedInstances& value) {
    Json json = Json::object();
    json.set("tenant", value.tenant.text);
    json.set("function", value.function.text);
    if (!value.package.empty()) json.set("package", value.package.text);
    json.set("idle", value.idle);
    return json;
}

Result<void> read(const Json& json, std::string_view where, LoadedInstances& out) {
    ObjectReader reader(json, where);
    read_tenant(reader, out.tenant);
    std::string name;
    reader.require("function");
    if (reader.text("function", name)) {
        auto parsed = parse_function_name(name);
        if (!parsed) reader.fail("function", "is wrong: " + parsed.error().message);
        out.function.text = std::move(name);
    }
    read_digest(reader, "package", out.package);
    reader.number("idle", out.idle, 0, 1'000'000);
    return reader.finish();
}

Json write(const StatusEntry& value) {
    Json json = Json::object();
    write_key(json, value.key);
    json.set("token", value.token.text);
    if (!value.incarnation.empty()) json.set("incarnation", value.incarnation);
    if (!value.instance.empty()) json.set("instance", value.instance.text);
    json.set("version", value.version);
    json.set("rank", static_cast<unsigned>(value.rank));
    write_end(json, value);
    if (value.stop_cause != StopCause::none || value.sigkill_sent || value.tree_gone) {
        Json stop = Json::object();
        stop.set("cause", to_string(value.stop_cause));
        stop.set("sigkill_sent", value.sigkill_sent);
        stop.set("tree_gone", value.tree_gone);
        json.set("stop", std::move(stop));
    }
    write_optional(json, "started_ms_ago", value.started_ms_ago);
    write_optional(json, "ended_ms_ago", value.ended_ms_ago);
    write_trace(json, value.trace);
    if (value.usage != Usage{}) {
        Json usage = Json::object();
        usage.set("cpu_seconds", value.usage.cpu_seconds);
        usage.set("max_rss_bytes", value.usage.max_rss_bytes);
        json.set("usage", std::move(usage));
    }
    if (value.progress) json.set("progress", write_progress(*value.progress));
    if (value.silent) json.set("silent", true);
    if (value.lease) json.set("lease", write_lease(*value.lease));
    return json;
}

Result<void> read(const Json& json, std::string_view where, StatusEntry& out) {
    ObjectReader reader(json, where);
    read_key(reader, out.key);
    read_id(reader, "token", out.token.text, Presence::required);
    read_id(reader, "incarnation", out.incarnation, Presence::optional);
    read_id(reader, "instance", out.instance.text, Presence::optional);
    reader.require("version");
    read_count(reader, "version", out.version);
    reader.require("rank");
    reader.number("rank", out.rank, 0, static_cast<std::int64_t>(Rank::ended));
    read_end(reader, out);
    read_stop(reader, out);
    // A little below zero is a clock's rounding, not a lie.
    read_optional(reader, "started_ms_ago", out.started_ms_ago, -1000, kMsMax);
    read_optional(reader, "ended_ms_ago", out.ended_ms_ago, -1000, kMsMax);
    read_trace(reader, out.trace);
    read_usage(reader, out.usage);
    read_progress(reader, out.progress);
    reader.boolean("silent", out.silent);
    read_lease(reader, out.lease);
    return reader.finish();
}

Json write(const HostAnnouncement& value) {
    Json json = Json::object();
    json.set("host", value.host.text);
    json.set("epoch", value.epoch);
    json.set("last_seq", value.last_seq);
    json.set("address", value.address);
    json.set("capacity", write_capacity(value.capacity));
    json.set("instances", value.instances);
    json.set("memory_used_mb", value.memory_used_mb);
    json.set("loaded", write_list(value.loaded));
    Json::Array packages;
    for (const Digest& digest : value.packages) packages.emplace_back(digest.text);
    json.set("packages", std::move(packages));
    json.set("draining", value.draining);
    if (value.digest) json.set("digest", write_digest(*value.digest));
    return json;
}

Result<void> read(const Json& json, std::string_view where, HostAnnouncement& out) {
    ObjectReader reader(json, where);
    read_id(reader, "host", out.host.text, Presence::required);
    reader.require("epoch");
    read_count(reader, "epoch", out.epoch);
    read_count(reader, "last_seq", out.last_seq);
    read_printable(reader, "address", out.address, 255, Presence::required);
    read_capacity(reader, out.capacity);
    reader.number("instances", out.instances, 0, 1'000'000);
    reader.number("memory_used_mb", out.memory_used_mb, 0, UINT32_MAX);
    if (auto done = read_list(reader, "loaded", kLoadedMax, out.loaded); !done) return done;
    read_packages(reader, out.packages);
    reader.boolean("draining", out.draining);
    read_digest_of_attempts(reader, out.digest);
    return reader.finish();
}

}  // namespace fields

using namespace fields;  // this file's own other half

Json to_json(const StatusEntry& value) {
    Json json = write(value);
    json.set("proto", kProto);
    return json;
}

Json to_json(const HostAnnouncement& value) {
    Json json = write(value);
    json.set("proto", kProto);
    return json;
}

Json to_json(const Report& value) {
    Json json = message();
    json.set("host", write(value.host));
    json.set("first_seq", value.first_seq);
    json.set("entries", write_list(value.entries));
    return json;
}

Json to_json(const ReportAnswer& value) {
    Json json = message();
    json.set("accepted_seq", value.accepted_seq);
    json.set("orders", write_orders(value));
    json.set("refused", Json::Array(value.refused.begin(), value.refused.end()));
    return json;
}

Json to_json(const StatusBatch& value) {
    Json json = message();
    json.set("host", value.host.text);
    json.set("epoch", value.epoch);
    write_optional(json, "prev_seq", value.prev_seq);
    json.set("last_seq", value.last_seq);
    json.set("entries", write_list(value.entries));
    return json;
}

namespace {

template <class Message>
Result<void> read_alone(const Json& json, Message& out) {
    ObjectReader reader(json);
    read_proto(reader);
    if (auto done = reader.finish(); !done) return done;
    return read(json, {}, out);
}

Result<void> read_message(const Json& json, StatusEntry& out) { return read_alone(json, out); }
Result<void> read_message(const Json& json, HostAnnouncement& out) { return read_alone(json, out); }

Result<void> read_message(const Json& json, Report& out) {
    ObjectReader reader(json);
    read_proto(reader);
    reader.require("host");
    if (auto done = reader.finish(); !done) return done;
    if (auto done = read(*reader.member("host"), "host", out.host); !done) return done;
    read_count(reader, "first_seq", out.first_seq);
    const auto items = list(reader, "entries", kBatchMax);
    if (!items) return items.error();
    if (*items) read_report_entries(**items, out);
    return reader.finish();
}

Result<void> read_message(const Json& json, ReportAnswer& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_count(reader, "accepted_seq", out.accepted_seq);
    read_orders(reader, out);
    reader.texts("refused", out.refused);
    if (out.refused.size() > kBatchMax) reader.fail("refused", "has too many items");
    return reader.finish();
}

Result<void> read_message(const Json& json, StatusBatch& out) {
    ObjectReader reader(json);
    read_proto(reader);
    read_id(reader, "host", out.host.text, Presence::required);
    reader.require("epoch");
    read_count(reader, "epoch", out.epoch);
    std::uint64_t prev_seq = 0;
    if (reader.number("prev_seq", prev_seq, 0, kAnyCount)) out.prev_seq = prev_seq;
    read_count(reader, "last_seq", out.last_seq);
    if (auto done = read_list(reader, "entries", kBatchMax, out.entries); !done) return done;
    return reader.finish();
}

}  // namespace

template <class Message>
Result<Message> decode(std::string_view text) {
    return decode_with<Message>(
        text, [](const Json& json, Message& out) { return read_message(json, out); });
}

template Result<StatusEntry> decode<StatusEntry>(std::string_view);
template Result<HostAnnouncement> decode<HostAnnouncement>(std::string_view);
template Result<Report> decode<Report>(std::string_view);
template Result<ReportAnswer> decode<ReportAnswer>(std::string_view);
template Result<StatusBatch> decode<StatusBatch>(std::string_view);

}  // namespace longhaul::wire
