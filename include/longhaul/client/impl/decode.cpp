#include "longhaul/client/decode.hpp"

#include <fmt/format.h>

namespace longhaul::client {
namespace {

using wire::Json;

Error not_as_agreed(std::string_view what) {
    return make_error(
        Errc::internal,
        fmt::format("the server's answer is not as expected ({}); is it longhaul, and "
                    "of a version that fits?",
                    what));
}

std::string text_of(const Json& value) {
    const auto* text = value.as_string();
    return text ? *text : std::string();
}

std::optional<TimePoint> time_of(const Json& value) {
    const auto* text = value.as_string();
    if (!text) return std::nullopt;
    auto point = parse_rfc3339(*text);
    return point ? std::optional(*point) : std::nullopt;
}

std::int64_t integer_of(const Json& value) {
    const auto* number = value.as_integer();
    return number ? *number : 0;
}

std::optional<Progress> progress_of(const Json& value) {
    if (!value.as_object()) return std::nullopt;
    Progress progress;
    const Json& percent = value["percent"];
    if (percent.is_number()) progress.percent = percent.number();
    progress.message = text_of(value["message"]);
    return progress;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

}  // namespace

Result<InvocationStatus> decode_status(Json document) {
    InvocationStatus status;
    status.id.text = text_of(document["id"]);
    if (status.id.empty()) return not_as_agreed("no id");
    status.function.text = text_of(document["function"]);
    const std::string state = text_of(document["state"]);
    const auto known = state_from(state);
    if (!known) return not_as_agreed("state '" + state + "'");
    status.state = *known;
    status.revision = static_cast<std::uint32_t>(integer_of(document["revision"]));
    status.status_version = static_cast<std::uint64_t>(integer_of(document["status_version"]));
    status.phase = text_of(document["phase"]);
    status.wait_reason = text_of(document["wait_reason"]);
    if (const auto* position = document["position"].as_integer()) status.position = *position;
    status.created_at = time_of(document["created_at"]);
    status.started_at = time_of(document["started_at"]);
    status.ended_at = time_of(document["ended_at"]);
    status.progress = progress_of(document["progress"]);
    status.suspect = text_of(document["health"]) == "suspect";
    status.error_reason = text_of(document["error"]["reason"]);
    status.error_message = text_of(document["error"]["message"]);
    status.document = std::move(document);
    return status;
}

Result<ListPage> decode_page(Json document) {
    ListPage page;
    const auto* rows = document["invocations"].as_array();
    if (!rows) return not_as_agreed("no invocations");
    for (const Json& row : *rows) {
        auto status = decode_status(row);
        if (!status) return status.error();
        page.invocations.push_back(std::move(*status));
    }
    page.next_cursor = text_of(document["next_cursor"]);
    page.document = std::move(document);
    return page;
}

Result<HostDrain> decode_drain(Json document) {
    HostDrain drain;
    drain.host.text = text_of(document["host"]);
    const auto* draining = document["draining"].as_bool();
    const auto* rows = document["blocking"].as_array();
    if (drain.host.empty() || !draining || !rows) return not_as_agreed("no drain of a host");
    drain.draining = *draining;
    if (const auto* drained = document["drained"].as_bool()) drain.drained = *drained;
    drain.drain_by = time_of(document["drain_by"]);
    drain.reason = text_of(document["reason"]);
    for (const Json& row : *rows) {
        HostDrain::Blocking blocking;
        blocking.id.text = text_of(row["invocation"]);
        if (blocking.id.empty()) return not_as_agreed("a run without an invocation");
        blocking.attempt = static_cast<AttemptNumber>(integer_of(row["attempt"]));
        blocking.function.text = text_of(row["function"]);
        blocking.state = text_of(row["state"]);
        blocking.since = time_of(row["since"]);
        blocking.until = time_of(row["until"]);
        drain.blocking.push_back(std::move(blocking));
    }
    drain.document = std::move(document);
    return drain;
}

Result<InstanceList> decode_instances(Json document) {
    InstanceList list;
    const auto* rows = document["instances"].as_array();
    if (!rows) return not_as_agreed("no instances");
    for (const Json& row : *rows) {
        InstanceInfo instance;
        instance.id.text = text_of(row["instance"]);
        if (instance.id.empty()) return not_as_agreed("an instance without a name");
        instance.host.text = text_of(row["host"]);
        instance.state = text_of(row["state"]);
        instance.tenant = text_of(row["tenant"]);
        instance.function = text_of(row["function"]);
        instance.version = text_of(row["version"]);
        instance.invocation = text_of(row["busy_with"]["invocation"]);
        instance.attempt = integer_of(row["busy_with"]["attempt"]);
        instance.memory_mb = integer_of(row["memory_mb"]);
        instance.idle_since = time_of(row["idle_since"]);
        list.instances.push_back(std::move(instance));
    }
    if (const auto* hosts = document["unreachable"].as_array())
        for (const Json& host : *hosts) list.unreachable.push_back(text_of(host));
    list.document = std::move(document);
    return list;
}

Result<LogLine> decode_log_line(std::string_view json_line) {
    auto json = wire::parse_json(json_line);
    if (!json) return not_as_agreed("a log line that is no JSON");
    LogLine line;
    line.offset = text_of((*json)["offset"]);
    line.time = text_of((*json)["time"]);
    line.stream = text_of((*json)["stream"]);
    line.text = text_of((*json)["text"]);
    return line;
}

Result<std::string> parse_server(std::string_view server) {
    const std::string given(server);
    if (server.starts_with("unix:")) return given;
    if (server.starts_with("https://"))
        return make_error(
            Errc::unsupported,
            fmt::format("'{}': TLS is not available in this version; use http://", given));
    if (server.starts_with("http://")) server.remove_prefix(7);
    while (server.ends_with('/')) server.remove_suffix(1);
    if (server.empty() || server.find_first_of("/?# @") != std::string_view::npos)
        return make_error(Errc::invalid_argument,
                          fmt::format("'{}' is no server; write http://HOST:PORT", given));
    if (server.find(':') == std::string_view::npos) return std::string(server) + ":7070";
    return std::string(server);
}

std::string url_encode(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        if (is_unreserved(c)) {
            encoded += c;
        } else {
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return encoded;
}

std::string list_query(const ListFilter& filter) {
    std::string query = fmt::format("?limit={}", filter.limit);
    const auto add = [&query](std::string_view name, std::string_view value) {
        if (!value.empty()) query += fmt::format("&{}={}", name, url_encode(value));
    };
    add("function", filter.function);
    for (const auto& state : filter.states) add("state", state);
    for (const auto& [key, value] : filter.labels) add("label", key + "=" + value);
    add("since", filter.since);
    add("until", filter.until);
    if (filter.oldest_first) add("order", "asc");
    add("cursor", filter.cursor);
    return query;
}

}  // namespace longhaul::client
