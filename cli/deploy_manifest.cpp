#include "cli/deploy_manifest.hpp"

#include "longhaul/base/config.hpp"
#include "longhaul/lifecycle/function_spec.hpp"
#include "longhaul/wire/function_json.hpp"

#include <array>

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr Duration kDurationMin = std::chrono::milliseconds(1);
constexpr Duration kDurationMax = std::chrono::hours(24 * 30);
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::string_view kLater = "is not available in this version";

// Reads fields into a document: each only if it is there, so that the gateway's defaults stand.
class Reading {
public:
    explicit Reading(const ConfigDocument& toml) : toml_(toml), reader_(toml) {}

    [[nodiscard]] bool has(std::string_view name) const { return toml_.values.contains(name); }

    std::string text(std::string_view name) {
        std::string value;
        reader_.text(name, value);
        if (has(name)) document_.set(name, value);
        return value;
    }

    // Into an object within the document, under a name of its own there.
    void text_into(std::string_view name, std::string_view inner, Json& object) {
        std::string value;
        reader_.text(name, value);
        if (has(name)) object.set(inner, value);
    }

    void integer(std::string_view name, std::int64_t min, std::int64_t max, std::string_view unit) {
        std::int64_t value = min;
        reader_.integer(name, value, min, max, unit);
        if (has(name)) document_.set(name, value);
    }

    void duration(std::string_view name) {
        Duration value = std::chrono::seconds(1);
        reader_.duration(name, value, kDurationMin, kDurationMax);
        if (has(name)) document_.set(name, format_duration(value));
    }

    void bytes(std::string_view name) {
        std::uint64_t value = 0;
        reader_.bytes(name, value, 0, kBytesMax);
        if (has(name)) document_.set(name, value);
    }

    void texts(std::string_view name) {
        std::vector<std::string> values;
        reader_.texts(name, values);
        if (!has(name)) return;
        Json list = Json::array();
        for (auto& value : values) list.push(std::move(value));
        document_.set(name, std::move(list));
        if (values.empty()) problem(name, "must not be empty");
    }

    void env() {
        constexpr std::string_view kPrefix = "env.";
        Json env = Json::object();
        for (const auto& [name, value] : toml_.values) {
            if (!name.starts_with(kPrefix)) continue;
            std::string item;
            reader_.text(name, item);
            env.set(std::string_view(name).substr(kPrefix.size()), item);
        }
        if (!env.as_object()->empty()) document_.set("env", std::move(env));
    }

    // Fields of a later version: only the value that means "without it" is let through.
    void only(std::string_view name, std::int64_t value) {
        if (!has(name)) return;
        std::int64_t given = value;
        reader_.integer(name, given, 0, 1'000'000, "");
        if (given != value) problem(name, kLater);
    }
    void never(std::string_view name) {
        reader_.ignore_prefix(name);
        for (const auto& [given, value] : toml_.values)
            if (given == name || given.starts_with(std::string(name) + ".")) problem(given, kLater);
    }

    // A table as it stands: whether its members are right is for the gateway to say.
    void table(std::string_view name) {
        reader_.ignore_prefix(name);
        const Json whole = wire::json_from(toml_);
        if (const Json* object = whole.find(name)) document_.set(name, *object);
    }

    void problem(std::string_view name, std::string_view what) { reader_.problem(name, what); }
    Json& document() { return document_; }
    [[nodiscard]] Result<void> finish() { return reader_.finish(); }

private:
    const ConfigDocument& toml_;
    ConfigReader reader_;
    Json document_ = Json::object();
};

// What belongs together; whether each value is right is for the gateway to say.
void check_mode(Reading& reading, const std::string& mode, const std::string& runtime) {
    if (mode != "exec" && mode != "handler" && mode != "http")
        return reading.problem("mode", "must be 'exec', 'handler' or 'http'");
    const std::string in_mode = "in mode '" + mode + "'";
    const bool is_custom = mode == "handler" && runtime == "custom";
    const bool is_ours = mode == "handler" && !is_custom;
    if (!is_ours && !reading.has("command"))
        reading.problem("command", "is missing: a list of words is needed " + in_mode +
                                       (is_custom ? " with runtime 'custom'" : ""));
    if (is_ours && reading.has("command"))
        reading.problem("command", "belongs to mode 'exec' or 'http', or to runtime 'custom'");
    if (is_ours && !reading.has("handler"))
        reading.problem("handler", "is missing: mode 'handler' needs it, as 'module.function'");
    if (mode != "handler" && reading.has("handler"))
        reading.problem("handler", "belongs to mode 'handler'");
    if (mode == "handler" && !is_custom && runtime != "python" && runtime != "node")
        reading.problem("runtime", "must be 'python', 'node' or 'custom' " + in_mode);
}

// The server of mode http.
void read_http(Reading& reading, const std::string& mode) {
    Json http = Json::object();
    for (const std::string_view name : {"path", "ready_path"}) {
        const std::string whole = "http." + std::string(name);
        if (reading.has(whole) && mode != "http") reading.problem(whole, "belongs to mode 'http'");
        reading.text_into(whole, name, http);
    }
    if (!http.as_object()->empty()) reading.document().set("http", std::move(http));
}

void read_limits(Reading& reading) {
    reading.integer("max_running", 1, 100'000, "attempts at once");
    reading.integer("key_max_running", 0, 100'000, "attempts at once of a concurrency key");
    reading.integer("concurrency", 1, 100, "runs at once in one instance");
    reading.integer("max_queued", 1, 10'000'000, "invocations");
    reading.integer("memory_mb", 1, 1'048'576, "MiB");
    reading.integer("cpu_millis", 1, 1'024'000, "thousandths of a CPU");
    for (const auto name : {"timeout", "load_timeout", "queue_ttl", "cancel_grace", "timeout_grace",
                            "kill_grace", "keep_alive", "heartbeat_timeout"})
        reading.duration(name);
    reading.bytes("max_queued_bytes");
    reading.bytes("body_max");
    reading.bytes("result_max");
    reading.table("retry");
}

void read_later_ones(Reading& reading) {
    reading.only("reserved", 0);
    for (const auto name : {"sidecar", "callbacks"}) reading.never(name);
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, std::string_view file_name,
                                const std::optional<std::string>& name) {
    auto toml = parse_toml(text, file_name);
    if (!toml) return toml.error();
    Reading reading(*toml);
    const std::string own_name = reading.text("name");
    auto parsed = parse_function_name(name.value_or(own_name));
    if (!name && !reading.has("name")) {
        reading.problem("name", "is missing; write it here or give --name");
    } else if (!parsed) {
        reading.problem("name", parsed.error().message);
    }
    const std::string mode = reading.has("mode") ? reading.text("mode") : "exec";
    const std::string runtime = reading.text("runtime");
    reading.text("handler");
    if (reading.has("command")) reading.texts("command");
    check_mode(reading, mode, runtime);
    read_http(reading, mode);
    reading.env();
    read_limits(reading);
    if (const auto result = reading.text("result");
        reading.has("result") && result != "stdout" && result != "file")
        reading.problem("result", "must be 'stdout' or 'file'");
    if (reading.has("package")) {
        reading.text("package");
        reading.problem("package", "is made from the folder; leave it out");
    }
    read_later_ones(reading);
    if (auto done = reading.finish(); !done) return done.error();
    Manifest manifest{std::move(*parsed), std::move(reading.document())};
    manifest.document.set("name", manifest.name.text);
    manifest.document.set("mode", mode);
    return manifest;
}

}  // namespace longhaul::cli
