#include "gateway/driver/event_document.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/wire/json.hpp"

namespace longhaul::gateway {
namespace {

using wire::Json;

constexpr std::string_view kSubjects = "longhaul.v1.events.";
constexpr std::string_view kTypes = "dev.longhaul.";

Json text_or_null(std::string_view text) { return text.empty() ? Json() : Json(text); }

template <class Value>
Json or_null(const std::optional<Value>& value) {
    return value ? Json(*value) : Json();
}

// As the record says it; 0 where it is about no attempt.
AttemptNumber attempt_of(const Record& record) {
    if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        const Attempt* first = accepted->invocation.current();
        return first ? first->number : 0;
    }
    if (const auto* sent = std::get_if<DispatchingRecord>(&record)) return sent->attempt.number;
    if (const auto* started = std::get_if<StartedRecord>(&record)) return started->attempt;
    if (const auto* fenced = std::get_if<FencedRecord>(&record)) return fenced->attempt;
    if (const auto* ended = std::get_if<AttemptEndedRecord>(&record)) return ended->end.attempt;
    if (const auto* terminal = std::get_if<TerminalRecord>(&record))
        return terminal->end ? terminal->end->attempt : 0;
    return 0;
}

Json failure_document(const Failure& failure) {
    return Json::object()
        .set("type", text_or_null(failure.type))
        .set("reason", to_string(failure.reason))
        .set("fault", to_string(failure.fault))
        .set("message", failure.message)
        .set("exit_code", or_null(failure.exit_code))
        .set("signal", or_null(failure.signal));
}

Json stop_document(const Stop& stop) {
    return Json::object()
        .set("cause", to_string(stop.cause))
        .set("by", text_or_null(stop.by))
        .set("reason", text_or_null(stop.reason));
}

Json content_document(const Content& content) {
    return Json::object()
        .set("size", content.size)
        .set("content_type", text_or_null(content.content_type))
        .set("sha256", content.sha256);
}

Json data_of(const Record& record, const Change& change, const Invocation& about) {
    Json labels = Json::object();
    for (const auto& [name, value] : about.options.labels) labels.set(name, value);
    const AttemptNumber attempt = attempt_of(record);
    Json data = Json::object();
    data.set("id", about.id.text)
        .set("tenant", about.tenant.text)
        .set("function", about.function->name.text)
        .set("version", about.function->version.text)
        .set("state", to_string(change.state))
        .set("revision", std::uint64_t{change.revision})
        .set("attempt", attempt == 0 ? Json() : Json(std::uint64_t{attempt}))
        .set("labels", std::move(labels));
    if (const auto* intent = std::get_if<StopIntentRecord>(&record))
        data.set("stop", stop_document(intent->stop));
    if (const auto* terminal = std::get_if<TerminalRecord>(&record)) {
        if (terminal->stop && terminal->stop->cause != StopCause::none)
            data.set("stop", stop_document(*terminal->stop));
        data.set("error", terminal->failure ? failure_document(*terminal->failure) : Json());
        data.set("result", terminal->result ? content_document(*terminal->result) : Json());
    }
    return data;
}

Json envelope(const std::string& id, const std::string& source, const std::string& type,
              TimePoint time) {
    return Json::object()
        .set("specversion", "1.0")
        .set("id", id)
        .set("source", source)
        .set("type", type)
        .set("time", format_rfc3339(time))
        .set("datacontenttype", "application/json");
}

Change change_in(const Record& record) {
    if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        const Invocation& invocation = accepted->invocation;
        return Change{invocation.id, invocation.revision, invocation.created_at, invocation.state};
    }
    const Change* change = change_of(record);
    LH_ASSERT(change != nullptr);
    return *change;
}

}  // namespace

bool is_event(const Record& record) {
    return std::holds_alternative<AcceptedRecord>(record) || change_of(record) != nullptr;
}

port::OutgoingEvent event_of(const PositionedRecord& positioned, const Invocation& about,
                             const std::string& source) {
    const Record& record = positioned.record;
    const Change change = change_in(record);
    const std::string state{to_string(change.state)};
    port::OutgoingEvent event;
    event.id = change.id.text + "." + std::to_string(change.revision);
    event.subject =
        std::string(kSubjects) + about.tenant.text + "." + about.function->name.text + "." + state;
    event.order = change.id.text;
    Json document =
        envelope(event.id, source, std::string(kTypes) + "invocation." + state, change.at);
    document.set("subject", change.id.text)
        .set("sequence", std::to_string(change.revision))
        .set("partitionkey", change.id.text);
    if (!about.options.traceparent.empty()) document.set("traceparent", about.options.traceparent);
    document.set("data", data_of(record, change, about));
    event.body = document.dump();
    return event;
}

port::OutgoingEvent gap_event(port::Position first, port::Position last, std::uint64_t count,
                              TimePoint now, const std::string& source) {
    port::OutgoingEvent event;
    event.id = "gap." + std::to_string(first) + "." + std::to_string(last);
    event.subject = std::string(kSubjects) + "_gap";
    event.order = event.subject;
    Json document = envelope(event.id, source, std::string(kTypes) + "events.gap", now);
    document.set("data", Json::object()
                             .set("first_position", first)
                             .set("last_position", last)
                             .set("events", count));
    event.body = document.dump();
    return event;
}

}  // namespace longhaul::gateway
