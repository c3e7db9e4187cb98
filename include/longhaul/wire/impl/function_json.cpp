#include "longhaul/wire/function_json.hpp"

#include "longhaul/wire/impl/retry_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace longhaul::wire {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kCommandItemsMax = 256;
constexpr std::size_t kVariablesMax = 256;
constexpr std::size_t kTextBytesMax = 64u << 10;  // of the whole command; of all variables
constexpr std::size_t kHandlerBytesMax = 256;
constexpr std::size_t kPathBytesMax = 1024;
constexpr std::uint64_t kContentMax = 1u << 30;
constexpr std::uint64_t kQueuedBytesMax = 1ull << 40;
constexpr Duration kAnyDuration = hours(24 * 36'500);
constexpr std::string_view kReservedVariable = "LONGHAUL_";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_identifier(std::string_view text) {
    if (text.empty() || text.size() > 128 || is_digit(text[0])) return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter(c) || is_digit(c); });
}

// "app.main", "package.module.function"
bool is_dotted(std::string_view text) {
    std::size_t parts = 0;
    while (true) {
        const auto dot = text.find('.');
        if (!is_identifier(text.substr(0, dot))) return false;
        ++parts;
        if (dot == std::string_view::npos) return parts >= 2;
        text.remove_prefix(dot + 1);
    }
}

// A folder or file name within a package, as Node's modules have them.
bool is_file_name(std::string_view text) {
    if (text.empty() || text == "." || text == "..") return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
}

// "app.main", "lib/my-app.main": folders, a module, its export.
bool is_node_handler(std::string_view text) {
    for (auto slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
        if (!is_file_name(text.substr(0, slash))) return false;
        text.remove_prefix(slash + 1);
    }
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || !is_file_name(text.substr(0, dot))) return false;
    const std::string_view exported = text.substr(dot + 1);
    return is_identifier(exported) || is_dotted(exported);
}

bool is_path(std::string_view text) {
    return text.size() <= kPathBytesMax && text.starts_with('/') &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

std::string_view mode_name(FunctionMode mode) {
    switch (mode) {
    case FunctionMode::handler: return "handler";
    case FunctionMode::http: return "http";
    case FunctionMode::exec: return "exec";
    }
    return "exec";
}

Error not_available(std::string_view what) {
    return make_error(Errc::unsupported, fmt::format("{} is not available in this version", what),
                      "not-available");
}

Error wrong(std::string what) { return make_error(Errc::invalid_argument, std::move(what)); }

class FunctionReader {
public:
    FunctionReader(const Json& document, Strictness strictness, Duration timeout_max)
        : reader_(document),
          strict_(strictness == Strictness::public_api),
          timeout_max_(strict_ ? timeout_max : kAnyDuration) {}

    Result<FunctionSpec> read() {
        read_identity();
        read_mode();
        read_command();
        read_variables();
        read_limits();
        if (const Json* retry = reader_.member("retry"))
            take_problem(read_retry(*retry, strict_, function_.retry));
        read_later_members();
        if (auto done = strict_ ? reader_.finish_strict() : reader_.finish(); !done) {
            return done.error();
        }
        if (!later_.empty()) return not_available(later_);
        if (!inner_problem_.empty()) return wrong(inner_problem_);
        if (strict_) {
            if (auto done = check_mode(); !done) return done.error();
        }
        return std::move(function_);
    }

private:
    void read_identity() {
        std::string text;
        if (reader_.text("name", text)) take(parse_function_name(text), "name", function_.name);
        if (!strict_) reader_.require("name");
        text.clear();
        if (reader_.text("version", text) && !strict_) {
            take(parse_digest(text), "version", function_.version);
        }
        text.clear();
        if (reader_.text("package", text)) take(parse_digest(text), "package", function_.package);
    }

    template <class T>
    void take(Result<T> parsed, std::string_view name, T& out) {
        if (parsed) {
            out = std::move(*parsed);
        } else {
            reader_.fail(name, "is wrong: " + parsed.error().message);
        }
    }

    void read_mode() {
        has_runtime_ = reader_.text("runtime", function_.runtime);
        if (function_.runtime.size() > 64) reader_.fail("runtime", "is longer than 64 bytes");
        has_handler_ = reader_.text("handler", function_.handler);
        has_command_ = reader_.member("command") != nullptr;
        std::string mode;
        if (!reader_.text("mode", mode)) {
            if (has_handler_ == has_command_) {
                reader_.fail("mode",
                             "is missing: \"handler\" (with \"handler\") or \"exec\" (with "
                             "\"command\")");
            }
            mode = has_handler_ ? "handler" : "exec";
        }
        if (mode == "handler") {
            function_.mode = FunctionMode::handler;
        } else if (mode == "http") {
            function_.mode = FunctionMode::http;
        } else if (mode == "exec") {
            function_.mode = FunctionMode::exec;
        } else {
            reader_.fail("mode", "must be \"handler\", \"http\" or \"exec\"");
        }
        if (const Json* http = reader_.member("http")) read_http(*http);
    }

    void read_http(const Json& http) {
        if (strict_ && function_.mode != FunctionMode::http)
            reader_.fail("http", "has a meaning in mode http alone");
        ObjectReader inner(http, "http");
        HttpSpec& out = function_.http;
        inner.text("path", out.path);
        inner.text("ready_path", out.ready_path);
        constexpr std::string_view kRule =
            "must begin with '/' and have printable ASCII characters, at most 1024, and no '#'";
        if (!is_path(out.path)) inner.fail("path", kRule);
        if (!out.ready_path.empty() && !is_path(out.ready_path)) inner.fail("ready_path", kRule);
        take_problem(strict_ ? inner.finish_strict() : inner.finish());
    }

    void take_problem(const Result<void>& inner) {
        if (!inner && inner_problem_.empty()) inner_problem_ = inner.error().message;
    }

    void read_command() {
        reader_.texts("command", function_.command);
        std::size_t bytes = 0;
        for (const std::string& item : function_.command) {
            bytes += item.size();
            if (item.find('\0') != std::string::npos)
                reader_.fail("command", "must not contain NUL");
        }
        if (function_.command.size() > kCommandItemsMax) {
            reader_.fail("command", fmt::format("has more than {} items", kCommandItemsMax));
        }
        if (bytes > kTextBytesMax) {
            reader_.fail("command", fmt::format("has more than {} bytes", kTextBytesMax));
        }
        std::string result;
        if (!reader_.text("result", result)) return;
        if (result != "stdout" && result != "file") {
            reader_.fail("result", "must be \"stdout\" or \"file\"");
        }
        function_.result_is_file = result == "file";
    }

    void read_variables() {
        reader_.text_map("env", function_.env);
        std::size_t bytes = 0;
        for (const auto& [name, value] : function_.env) {
            bytes += name.size() + value.size();
            if (!is_identifier(name)) {
                reader_.fail("env",
                             "has a name that is none: letters, digits and '_', at most 128, "
                             "beginning with no digit");
            }
            if (strict_ && name.compare(0, kReservedVariable.size(), kReservedVariable) == 0) {
                reader_.fail("env", "must not set '" + name + "': LONGHAUL_… is longhaul's own");
            }
            if (value.find('\0') != std::string::npos) {
                reader_.fail("env", "must not contain NUL, '" + name + "' does");
            }
        }
        if (function_.env.size() > kVariablesMax) {
            reader_.fail("env", fmt::format("has more than {} variables", kVariablesMax));
        }
        if (bytes > kTextBytesMax) {
            reader_.fail("env", fmt::format("has more than {} bytes", kTextBytesMax));
        }
        if (strict_) std::sort(function_.env.begin(), function_.env.end());
    }

    void read_limits() {
        FunctionSpec& out = function_;
        reader_.number("max_running", out.max_running, 1, 100'000);
        reader_.number("key_max_running", out.key_max_running, 0, 100'000);
        reader_.number("concurrency", out.concurrency, 1, 100);
        reader_.number("max_queued", out.max_queued, 1, 10'000'000);
        reader_.bytes("max_queued_bytes", out.max_queued_bytes, 1, kQueuedBytesMax);
        reader_.number("memory_mb", out.memory_mb, 1, 1'048'576);
        reader_.number("cpu_millis", out.cpu_millis, 1, 1'024'000);
        duration("timeout", out.timeout, seconds(1), timeout_max_);
        duration("load_timeout", out.load_timeout, milliseconds(100), hours(1));
        duration("queue_ttl", out.queue_ttl, seconds(1), hours(24 * 30));
        duration("cancel_grace", out.cancel_grace, Duration::zero(), hours(1));
        duration("timeout_grace", out.timeout_grace, Duration::zero(), hours(1));
        duration("kill_grace", out.kill_grace, Duration::zero(), hours(1));
        duration("keep_alive", out.keep_alive, Duration::zero(), hours(24));
        duration("heartbeat_timeout", out.heartbeat_timeout, Duration::zero(), hours(24 * 7));
        const bool is_too_short =
            out.heartbeat_timeout > Duration::zero() && out.heartbeat_timeout < seconds(1);
        if (strict_ && is_too_short)
            reader_.fail("heartbeat_timeout", "must be 0, for none, or at least 1s");
        reader_.bytes("body_max", out.body_max, 0, kContentMax);
        reader_.bytes("result_max", out.result_max, 0, kContentMax);
    }

    void duration(std::string_view name, Duration& out, Duration min, Duration max) {
        reader_.duration(name, out, strict_ ? min : Duration::zero(), strict_ ? max : kAnyDuration);
    }

    // Members of the document that this version names and does not have.
    void read_later_members() {
        if (!strict_) return;
        later(function_.concurrency > 1 && function_.runtime == "custom",
              "concurrency above 1 with runtime custom");
        std::int64_t reserved = 0;
        reader_.integer("reserved", reserved, 0, 100'000);
        later(reserved > 0, "reserved above 0");
        later(reader_.member("sidecar") != nullptr, "sidecar");
        if (const Json* callbacks = reader_.member("callbacks")) {
            const Json::Array* items = callbacks->as_array();
            if (!items) reader_.fail("callbacks", "must be an array");
            later(items && !items->empty(), "callbacks");
        }
    }

    void later(bool wanted, std::string_view what) {
        if (wanted && later_.empty()) later_ = what;
    }

    Result<void> check_mode() const {
        switch (function_.mode) {
        case FunctionMode::handler: return check_handler();
        case FunctionMode::http:
            return check_command("mode http", "starts it, as in [\"node\", \"server.js\"]");
        case FunctionMode::exec: break;
        }
        if (function_.concurrency > 1)
            return wrong("concurrency above 1 has no meaning in mode exec: each run is a process");
        return check_command("mode exec", "runs it, as in [\"/bin/sh\", \"run.sh\"]");
    }

    // What runs a command of its own, and has nothing to do with handlers.
    Result<void> check_command(std::string_view mode, std::string_view does) const {
        if (!has_program()) return wrong(fmt::format("command is missing: {} {}", mode, does));
        if (has_handler_) return wrong(fmt::format("handler has no meaning in {}", mode));
        if (has_runtime_ && !function_.runtime.empty())
            return wrong(fmt::format("runtime has no meaning in {}", mode));
        if (function_.mode == FunctionMode::http) return check_result(mode);
        return {};
    }

    Result<void> check_handler() const {
        const std::string& runtime = function_.runtime;
        if (runtime == "custom") return check_custom();
        if (!runtime.empty() && runtime != "python" && runtime != "node")
            return wrong("runtime \"" + runtime + "\" is unknown: there are python, node, custom");
        if (!has_handler_)
            return wrong("handler is missing: mode handler calls it, as in app.main");
        if (function_.handler.size() > kHandlerBytesMax ||
            !(runtime == "node" ? is_node_handler(function_.handler)
                                : is_dotted(function_.handler)))
            return wrong("handler must be a module and a function, as in app.main");
        if (has_command_)
            return wrong("command has no meaning in mode handler: see runtime custom");
        return check_result("mode handler");
    }

    // Its command gets the handler as a text, and makes of it what it likes.
    Result<void> check_custom() const {
        if (!has_program())
            return wrong(
                "command is missing: runtime custom starts it, as in "
                "[\"npx\", \"aws-lambda-ric\", \"app.handler\"]");
        if (function_.handler.size() > kHandlerBytesMax)
            return wrong(fmt::format("handler is longer than {} bytes", kHandlerBytesMax));
        if (function_.handler.find('\0') != std::string::npos)
            return wrong("handler must not contain NUL");
        return check_result("mode handler");
    }

    Result<void> check_result(std::string_view mode) const {
        if (function_.result_is_file)
            return wrong(fmt::format("result \"file\" has no meaning in {}", mode));
        return {};
    }

    [[nodiscard]] bool has_program() const {
        return !function_.command.empty() && !function_.command.front().empty();
    }

    ObjectReader reader_;
    const bool strict_;
    const Duration timeout_max_;

    FunctionSpec function_;
    bool has_runtime_ = false;
    bool has_handler_ = false;
    bool has_command_ = false;
    std::string later_;          // the first member that a later version brings
    std::string inner_problem_;  // of an inner object
};

// "1" of a TOML number as a JSON number.
Json json_number(const std::string& text) {
    std::int64_t integer = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, integer);
    if (read.ec == std::errc{} && read.ptr == end) return Json{integer};
    double real = 0;
    if (std::from_chars(text.data(), end, real).ec != std::errc{}) return Json{text};
    return Json{real};
}

Json json_scalar(const std::string& text, ConfigDocument::Kind kind) {
    switch (kind) {
    case ConfigDocument::Kind::text: return Json{text};
    case ConfigDocument::Kind::number: return json_number(text);
    case ConfigDocument::Kind::boolean: return Json{text == "true"};
    }
    return Json{text};
}

Json json_value(const ConfigDocument::Value& value) {
    if (!value.is_list) return json_scalar(value.items.front(), value.kind);
    Json list = Json::array();
    for (const std::string& item : value.items) list.push(json_scalar(item, value.kind));
    return list;
}

void set_nested(Json& object, std::string_view name, Json value) {
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) {
        object.set(name, std::move(value));
        return;
    }
    const std::string_view outer = name.substr(0, dot);
    const Json* there = object.find(outer);
    Json inner = there && there->as_object() ? *there : Json::object();
    set_nested(inner, name.substr(dot + 1), std::move(value));
    object.set(outer, std::move(inner));
}

// What the first versions of the document did not have is left out of the canonical one where it is
// the default: a function keeps its version.
Json write(const FunctionSpec& function, bool is_canonical) {
    const FunctionSpec usual;
    Json json = Json::object();
    json.set("name", function.name.text);
    if (!function.version.empty()) json.set("version", function.version.text);
    json.set("mode", mode_name(function.mode));
    if (!function.runtime.empty()) json.set("runtime", function.runtime);
    if (!function.handler.empty()) json.set("handler", function.handler);
    if (!function.command.empty()) {
        Json::Array command(function.command.begin(), function.command.end());
        json.set("command", std::move(command));
    }
    if (function.mode == FunctionMode::http) {
        const std::string& ready = function.http.ready_path;
        Json http = Json::object();
        http.set("path", function.http.path);
        http.set("ready_path", ready.empty() ? Json{} : Json{ready});
        json.set("http", std::move(http));
    }
    Json::Object env;
    for (const auto& [name, value] : function.env) env.emplace_back(name, value);
    json.set("env", std::move(env));
    json.set("package", function.package.empty() ? Json{} : Json{function.package.text});
    json.set("max_running", function.max_running);
    if (!is_canonical || function.key_max_running != usual.key_max_running)
        json.set("key_max_running", function.key_max_running);
    if (!is_canonical || function.concurrency != usual.concurrency)
        json.set("concurrency", function.concurrency);
    json.set("max_queued", function.max_queued);
    if (!is_canonical || function.max_queued_bytes != usual.max_queued_bytes)
        json.set("max_queued_bytes", function.max_queued_bytes);
    json.set("memory_mb", function.memory_mb);
    json.set("cpu_millis", function.cpu_millis);
    json.set("timeout", format_duration(function.timeout));
    json.set("load_timeout", format_duration(function.load_timeout));
    json.set("queue_ttl", format_duration(function.queue_ttl));
    json.set("cancel_grace", format_duration(function.cancel_grace));
    json.set("timeout_grace", format_duration(function.timeout_grace));
    json.set("kill_grace", format_duration(function.kill_grace));
    json.set("keep_alive", format_duration(function.keep_alive));
    json.set("body_max", function.body_max);
    json.set("result_max", function.result_max);
    json.set("result", function.result_is_file ? "file" : "stdout");
    // Left out where it says nothing, so that earlier documents keep their version.
    if (function.heartbeat_timeout > Duration::zero())
        json.set("heartbeat_timeout", format_duration(function.heartbeat_timeout));
    if (function.retry != RetrySpec{}) json.set("retry", retry_json(function.retry));
    return json;
}

}  // namespace

Json to_json(const FunctionSpec& function) { return write(function, false); }

Result<FunctionSpec> parse_function(const Json& document, Strictness strictness,
                                    Duration execution_timeout_max) {
    if (!document.as_object()) return wrong("a function must be a JSON object");
    auto function = FunctionReader(document, strictness, execution_timeout_max).read();
    const bool is_new = strictness == Strictness::public_api;
    if (function && is_new && function->mode == FunctionMode::handler && function->runtime.empty())
        function->runtime = "python";
    return function;
}

std::string canonical(const FunctionSpec& function) {
    FunctionSpec copy = function;
    copy.version = {};
    std::sort(copy.env.begin(), copy.env.end());
    return write(copy, true).dump();
}

Json json_from(const ConfigDocument& document) {
    Json json = Json::object();
    for (const auto& [name, value] : document.values) set_nested(json, name, json_value(value));
    return json;
}

}  // namespace longhaul::wire
