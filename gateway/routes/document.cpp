#include "gateway/routes/document.hpp"

#include "longhaul/wire/function_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace longhaul::gateway {
namespace {

using wire::Json;

Json time_or_null(const std::optional<TimePoint>& point) {
    return point ? Json(format_rfc3339(*point)) : Json();
}

template <class Value>
Json or_null(const std::optional<Value>& value) {
    return value ? Json(*value) : Json();
}

Json text_or_null(std::string_view text) { return text.empty() ? Json() : Json(text); }

Json trace_document(const StageTrace& trace) {
    Json stages = Json::object();
    for (const auto& [stage, ms] : trace) stages.set(stage + "_ms", ms);
    return stages;
}

Json usage_document(const Usage& usage) {
    return Json::object()
        .set("cpu_seconds", usage.cpu_seconds)
        .set("max_rss_bytes", usage.max_rss_bytes);
}

Json stop_document(const Invocation& invocation) {
    const Stop& stop = invocation.stop;
    if (stop.cause == StopCause::none) return Json();
    return Json::object()
        .set("cause", to_string(stop.cause))
        .set("by", text_or_null(stop.by))
        .set("reason", text_or_null(stop.reason))
        .set("at", format_rfc3339(stop.at))
        .set("grace", format_duration(stop.grace))
        .set("signal", stop.sigkill_sent ? Json("SIGKILL") : Json("SIGTERM"))
        .set("confirmed", stop.confirmed);
}

Json failure_document(const Invocation& invocation) {
    if (!invocation.failure) return Json();
    const Failure& failure = *invocation.failure;
    return Json::object()
        .set("type", text_or_null(failure.type))
        .set("reason", to_string(failure.reason))
        .set("fault", to_string(failure.fault))
        .set("message", failure.message)
        .set("exit_code", or_null(failure.exit_code))
        .set("signal", or_null(failure.signal))
        .set("evidence", text_or_null(failure.evidence));
}

Json content_document(const std::optional<Content>& content) {
    if (!content) return Json();
    return Json::object()
        .set("size", content->size)
        .set("content_type", text_or_null(content->content_type))
        .set("sha256", content->sha256);
}

Json labels_document(const Invocation& invocation) {
    Json labels = Json::object();
    for (const auto& [name, value] : invocation.options.labels) labels.set(name, value);
    return labels;
}

Json links_document(const InvocationId& id) {
    const std::string self = path_of(id);
    return Json::object()
        .set("self", self)
        .set("result", self + "/result")
        .set("logs", self + "/logs")
        .set("events", self + "/events")
        .set("attempts", self + "/attempts")
        .set("cancel", self + "/cancel")
        .set("kill", self + "/kill");
}

Json progress_document(const Invocation& invocation) {
    if (!invocation.progress) return Json();
    return Json::object()
        .set("percent", invocation.progress->percent)
        .set("message", invocation.progress->message)
        .set("at", format_rfc3339(invocation.progress->at));
}

// An estimate has no more digits than it is worth.
Json eta_document(const std::optional<Duration>& eta) {
    if (!eta) return Json();
    if (*eta < std::chrono::seconds(10))
        return format_duration(std::chrono::ceil<std::chrono::milliseconds>(*eta / 100) * 100);
    return format_duration(std::chrono::ceil<std::chrono::seconds>(*eta));
}

void set_waiting(Json& document, const Snapshot& snapshot) {
    const WaitInfo& wait = snapshot.wait;
    document.set("wait_reason", text_or_null(to_string(wait.reason)));
    document.set("position", wait.position ? Json(*wait.position) : Json());
    document.set("eta", eta_document(wait.eta));
    document.set("health", snapshot.invocation.suspect ? "suspect" : "ok");
}

}  // namespace

Json attempt_document(const Attempt& attempt) {
    return Json::object()
        .set("number", std::uint64_t{attempt.number})
        .set("host", attempt.host.text)
        .set("instance", text_or_null(attempt.instance.text))
        .set("dispatched_at", format_rfc3339(attempt.dispatched_at))
        .set("started_at", time_or_null(attempt.started_at))
        .set("ended_at", time_or_null(attempt.ended_at))
        .set("outcome", attempt.outcome ? Json(to_string(*attempt.outcome)) : Json())
        .set("http_status", or_null(attempt.http_status))
        .set("exit_code", or_null(attempt.exit_code))
        .set("signal", or_null(attempt.signal))
        .set("reason", attempt.reason ? Json(to_string(*attempt.reason)) : Json())
        .set("message", text_or_null(attempt.message))
        .set("usage", usage_document(attempt.usage))
        .set("trace", trace_document(attempt.trace));
}

Json invocation_document(const Snapshot& snapshot) {
    const Invocation& invocation = snapshot.invocation;
    Json attempts = Json::array();
    for (const Attempt& attempt : invocation.attempts) attempts.push(attempt_document(attempt));
    const Attempt* current = invocation.current();

    Json document = Json::object();
    document.set("id", invocation.id.text)
        .set("tenant", invocation.tenant.text)
        .set("function", invocation.function->name.text)
        .set("version", invocation.function->version.text)
        .set("state", to_string(invocation.state))
        .set("phase", text_or_null(to_string(invocation.phase)))
        .set("revision", std::uint64_t{invocation.revision})
        .set("status_version", invocation.status_version)
        .set("priority", std::uint64_t{invocation.options.priority})
        .set("concurrency_key", text_or_null(invocation.options.concurrency_key))
        .set("retry_of", invocation.retry_of ? Json(invocation.retry_of->text) : Json())
        .set("cancel_requested", invocation.stop.cause >= StopCause::cancel)
        .set("stop", stop_document(invocation))
        .set("created_at", format_rfc3339(invocation.created_at))
        .set("started_at", time_or_null(invocation.started_at))
        .set("ended_at", time_or_null(invocation.ended_at))
        .set("deadline", format_rfc3339(invocation.deadline))
        .set("not_before", time_or_null(invocation.options.not_before))
        .set("due_at", waits_for_time(invocation.state) ? time_or_null(invocation.due_at) : Json())
        .set("timeout", format_duration(invocation.timeout()))
        .set("labels", labels_document(invocation));
    set_waiting(document, snapshot);
    document.set("progress", progress_document(invocation))
        .set("attempts", std::move(attempts))
        .set("usage", usage_document(current ? current->usage : Usage{}))
        .set("result", content_document(invocation.result))
        .set("error", failure_document(invocation))
        .set("links", links_document(invocation.id));
    return document;
}

Json history_document(const InvocationId& id, const HistoryEntry& entry) {
    return Json::object()
        .set("id", id.text)
        .set("revision", std::uint64_t{entry.revision})
        .set("at", format_rfc3339(entry.at))
        .set("state", to_string(entry.state))
        .set("attempt", entry.attempt == 0 ? Json() : Json(std::uint64_t{entry.attempt}))
        .set("detail", text_or_null(entry.detail));
}

Json function_document(const FunctionQueue& queue) {
    return wire::to_json(*queue.current);  // what was read can be written back
}

Json queue_document(const FunctionQueue& queue, const Scheduler& scheduler, TimePoint now) {
    const FunctionSpec& function = *queue.current;
    const Invocation* oldest = scheduler.oldest_waiting(queue);
    Json by_priority = Json::object();
    for (std::size_t priority = 0; priority < queue.by_priority.size(); ++priority)
        if (queue.by_priority[priority] > 0)
            by_priority.set(std::to_string(priority), queue.by_priority[priority]);
    const Duration age =
        oldest ? std::max(Duration::zero(), now - oldest->in_line_since()) : Duration{};
    return Json::object()
        .set("function", queue.name.text)
        .set("queued", queue.queued)
        .set("scheduled", queue.scheduled)
        .set("retrying", queue.retrying)
        .set("queued_bytes", queue.waiting_bytes())
        .set("by_priority", std::move(by_priority))
        .set("running", std::uint64_t{queue.running})
        .set("max_running", std::uint64_t{function.max_running})
        .set("key_max_running", std::uint64_t{function.key_max_running})
        .set("max_queued", std::uint64_t{function.max_queued})
        .set("max_queued_bytes", function.max_queued_bytes)
        .set("paused", queue.paused)
        .set("oldest_queued_at", oldest ? Json(format_rfc3339(oldest->in_line_since())) : Json())
        .set("oldest_age",
             oldest ? Json(format_duration(std::chrono::floor<std::chrono::milliseconds>(age)))
                    : Json())
        .set("blocked_by", text_or_null(to_string(scheduler.blocked_by(queue))))
        .set("drain_per_second", or_null(queue.drain.per_second(now)));
}

Json host_document(const Host& host, TimePoint now) {
    const HostNews& news = host.news;
    Json capacity = Json::object();
    capacity.set("memory_mb", std::uint64_t{news.memory_mb});
    capacity.set("cpu_millis", std::uint64_t{news.cpu_millis});
    capacity.set("instances_max", std::uint64_t{news.instances_max});
    Json loaded = Json::array();
    for (const IdleInstances& idle : news.loaded)
        loaded.push(Json::object()
                        .set("tenant", idle.tenant.text)
                        .set("function", idle.function.text)
                        .set("package", idle.package.empty() ? Json() : Json(idle.package.text))
                        .set("idle", std::uint64_t{idle.count}));
    Json packages = Json::array();
    for (const Digest& package : news.packages) packages.push(package.text);
    return Json::object()
        .set("host", news.host.text)
        .set("address", news.address)
        .set("epoch", news.epoch)
        .set("reachable", host.known && !host.suspect)
        .set("draining", news.draining)
        .set("last_heard_ms_ago", to_ms(now - host.heard_at))
        .set("attempts", std::uint64_t{host.attempts.size()})
        .set("instances", std::uint64_t{news.instances})
        .set("memory_used_mb", host.assigned_mb)
        .set("cpu_used_millis", host.assigned_cpu)
        .set("capacity", std::move(capacity))
        .set("loaded", std::move(loaded))
        .set("packages", std::move(packages));
}

std::string etag_of(const Invocation& invocation) {
    return "\"" + std::to_string(invocation.revision) + "." +
           std::to_string(invocation.status_version) + "\"";
}

std::string retry_after(const Snapshot& snapshot) {
    Duration wait = std::chrono::seconds(1);
    if (snapshot.wait.eta)
        wait = std::clamp<Duration>(*snapshot.wait.eta, wait, std::chrono::minutes(1));
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count());
}

std::string server_timing(const Invocation& invocation) {
    const Attempt* attempt = invocation.current();
    if (!attempt) return "";
    std::string text;
    const auto add = [&text](std::string_view stage, double ms) {
        text += fmt::format("{}{};dur={:.1f}", text.empty() ? "" : ", ", stage, ms);
    };
    for (const auto& [stage, ms] : attempt->trace) add(stage, ms);
    if (attempt->started_at && attempt->ended_at)
        add("run", static_cast<double>((*attempt->ended_at - *attempt->started_at).count()) / 1000);
    return text;
}

std::string path_of(const InvocationId& id) { return "/v1/invocations/" + id.text; }

}  // namespace longhaul::gateway
