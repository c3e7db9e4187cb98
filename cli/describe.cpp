#include "cli/describe.hpp"

#include "cli/terminal.hpp"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

using wire::Json;

constexpr Duration kTerminalTick = std::chrono::seconds(1);
constexpr Duration kQuietTick = std::chrono::seconds(20);

std::string plain(const Json& value) {
    if (value.is_null()) return "";
    if (const auto* text = value.as_string()) return *text;
    return value.dump();
}

void add_line(std::string& out, std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<10} {}\n", name, value);
}

// "route 0.3 ms, load 41.0 ms"
std::string stages(const Json& trace) {
    std::string text;
    if (const auto* members = trace.as_object())
        for (const auto& [name, value] : *members) {
            if (!value.is_number()) continue;
            std::string_view stage = name;
            if (stage.ends_with("_ms")) stage.remove_suffix(3);
            text += fmt::format("{}{} {:.1f} ms", text.empty() ? "" : ", ", stage, value.number());
        }
    return text;
}

void add_attempts(std::string& out, const Json& attempts) {
    const auto* rows = attempts.as_array();
    if (!rows) return;
    for (const Json& attempt : *rows) {
        const std::string outcome = plain(attempt["outcome"]);
        add_line(out, fmt::format("attempt {}", plain(attempt["number"])),
                 fmt::format("{} on {}, instance {}", outcome.empty() ? "under way" : outcome,
                             plain(attempt["host"]), plain(attempt["instance"])));
        if (const auto reason = plain(attempt["reason"]); !reason.empty())
            add_line(out, "  reason", reason + " " + plain(attempt["message"]));
        add_line(out, "  stages", stages(attempt["trace"]));
    }
}

void add_usage(std::string& out, const Json& usage) {
    const Json& cpu = usage["cpu_seconds"];
    const auto* rss = usage["max_rss_bytes"].as_integer();
    if (!cpu.is_number() || !rss || (cpu.number() == 0 && *rss == 0)) return;
    add_line(out, "usage",
             fmt::format("{:.2f} s of CPU, {} at most", cpu.number(),
                         short_bytes(static_cast<std::uint64_t>(*rss))));
}

void add_stop(std::string& out, const Json& stop) {
    if (!stop.as_object()) return;
    std::string text = plain(stop["cause"]);
    if (const auto by = plain(stop["by"]); !by.empty()) text += " by " + by;
    if (const auto reason = plain(stop["reason"]); !reason.empty()) text += ": " + reason;
    if (const auto* confirmed = stop["confirmed"].as_bool(); confirmed && *confirmed)
        text += "; its processes are gone";
    add_line(out, "stop", text);
}

}  // namespace

std::string describe(const client::InvocationStatus& status) {
    const Json& document = status.document;
    std::string out;
    add_line(out, "id", status.id.text);
    add_line(out, "function", status.function.text);
    std::string state = paint_state(status.state);
    if (!status.phase.empty()) state += ", " + status.phase;
    add_line(out, "state", state);
    if (!status.wait_reason.empty()) {
        std::string why = status.wait_reason;
        if (status.position) why += fmt::format(", position {}", *status.position);
        if (const auto eta = plain(document["eta"]); !eta.empty()) why += ", expected " + eta;
        if (const auto due = plain(document["due_at"]); !due.empty()) why += ", until " + due;
        add_line(out, "waits for", why);
    }
    if (status.suspect)
        add_line(out, "health", "suspect: its host, or the function itself, is silent");
    add_line(out, "created", plain(document["created_at"]));
    if (status.started_at)
        add_line(out, "started",
                 fmt::format("{} ({} after)", plain(document["started_at"]),
                             age(status.created_at, status.started_at)));
    if (status.ended_at)
        add_line(out, "ended",
                 fmt::format("{} (ran {})", plain(document["ended_at"]),
                             age(status.started_at, status.ended_at)));
    if (!status.ended()) add_line(out, "deadline", plain(document["deadline"]));
    if (status.progress)
        add_line(out, "progress",
                 fmt::format("{:.0f}% {}", status.progress->percent, status.progress->message));
    if (const auto* labels = document["labels"].as_object(); labels && !labels->empty())
        for (const auto& [key, value] : *labels) add_line(out, "label", key + "=" + plain(value));
    add_attempts(out, document["attempts"]);
    add_usage(out, document["usage"]);
    add_stop(out, document["stop"]);
    if (const auto* size = document["result"]["size"].as_integer())
        add_line(out, "result",
                 fmt::format("{}, {}", short_bytes(static_cast<std::uint64_t>(*size)),
                             plain(document["result"]["content_type"])));
    if (!status.error_reason.empty())
        add_line(out, "error",
                 fmt::format("{} (fault: {}): {}", status.error_reason,
                             plain(document["error"]["fault"]), status.error_message));
    add_line(out, "evidence", plain(document["error"]["evidence"]));
    return out;
}

std::vector<std::string> invocation_head() {
    return {"ID", "FUNCTION", "STATE", "AGE", "RAN", "WHY"};
}

std::vector<std::string> invocation_row(const client::InvocationStatus& status) {
    std::string why = status.wait_reason;
    if (!why.empty() && status.position) why += fmt::format(" (position {})", *status.position);
    if (!status.error_reason.empty()) why = status.error_reason;
    if (why.empty() && status.progress && !status.ended())
        why = fmt::format("{:.0f}% {}", status.progress->percent, status.progress->message);
    return {status.id.text,
            status.function.text,
            paint_state(status.state),
            age(status.created_at),
            age(status.started_at, status.ended_at),
            why};
}

void print_status(const Globals& globals, const client::InvocationStatus& status) {
    if (globals.json()) {
        print(status.document.dump_pretty());
        print("\n");
    } else {
        print(describe(status));
    }
}

Result<client::InvocationStatus> wait_for_end(client::BlockingClient& client,
                                              const InvocationId& id) {
    ProgressLine line;
    return client.wait(id, stderr_is_terminal() ? kTerminalTick : kQuietTick,
                       [&line](const client::InvocationStatus& status) {
                           line.show(status);
                           return true;
                       });
}

Result<client::InvocationStatus> wait_for_start(client::BlockingClient& client,
                                                const InvocationId& id) {
    ProgressLine line;
    return client.wait(id, stderr_is_terminal() ? kTerminalTick : kQuietTick,
                       [&line](const client::InvocationStatus& status) {
                           line.show(status);
                           return !status.started_at.has_value();
                       });
}

Result<void> print_logs(client::BlockingClient& client, client::LogRequest request, bool timestamps,
                        bool json, std::FILE* out) {
    return client.logs(
        std::move(request), [timestamps, json, out](const client::LogLine& line) -> Result<void> {
            std::string text;
            if (json) {
                Json object = Json::object();
                object.set("offset", line.offset).set("time", line.time);
                object.set("stream", line.stream).set("text", line.text);
                text = object.dump();
            } else {
                if (timestamps) text = fmt::format("{} {:<6} ", line.time, line.stream);
                text += line.stream == "system" ? paint_dim("[" + line.text + "]") : line.text;
            }
            text += '\n';
            if (std::fwrite(text.data(), 1, text.size(), out) != text.size() ||
                std::fflush(out) != 0)
                return make_error(Errc::io_failed, "cannot write the log lines");
            return {};
        });
}

Result<void> print_result(client::BlockingClient& client, const InvocationId& id) {
    char last = '\n';
    auto done = client.result(id, [&last](std::string_view bytes) -> Result<void> {
        if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size())
            return make_error(Errc::io_failed, "cannot write the result");
        last = bytes.back();
        return {};
    });
    if (!done) return done.error();
    if (last != '\n' && stdout_is_terminal()) print("\n");
    std::fflush(stdout);
    return {};
}

std::string describe_end(const client::InvocationStatus& status) {
    std::string text(to_string(status.state));
    if (!status.error_reason.empty()) text += " (" + status.error_reason + ")";
    if (!status.error_message.empty()) text += ": " + status.error_message;
    return text;
}

Result<std::pair<std::string, std::string>> parse_label(const std::string& text) {
    const auto at = text.find('=');
    if (at == std::string::npos || at == 0)
        return make_error(Errc::invalid_argument,
                          "label '" + text + "' is not of the form key=value");
    return std::pair(text.substr(0, at), text.substr(at + 1));
}

}  // namespace longhaul::cli
