#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"
#include "gateway/routes/wishes.hpp"

#include <charconv>

namespace longhaul::gateway::routes {
namespace {

// "4.17" of an ETag, or "4"; what is after the point was never durable and is not compared.
Result<std::optional<std::uint32_t>> expected_revision(const net::Request& request) {
    constexpr const char* kWrong = "If-Match: is no ETag of an invocation, as in \"4.17\"";
    const auto text = request.header("If-Match");
    if (!text || *text == "*") return std::optional<std::uint32_t>{};
    const Error wrong = make_error(Errc::invalid_argument, kWrong, "invalid-header");
    if (text->size() < 3 || text->front() != '"' || text->back() != '"') return wrong;
    std::uint32_t revision = 0;
    const char* const end = text->data() + text->size() - 1;
    const auto read = std::from_chars(text->data() + 1, end, revision);
    if (read.ec != std::errc{} || (read.ptr != end && *read.ptr != '.')) return wrong;
    return std::optional<std::uint32_t>{revision};
}

void read_moment(wire::ObjectReader& reader, std::string_view name, TimePoint now, Duration max,
                 std::optional<TimePoint>& out) {
    std::string text;
    if (!reader.text(name, text)) return;
    auto moment = parse_moment(text, now, max);
    if (moment)
        out = *moment;
    else
        reader.fail(name, moment.error().message);
}

void read_labels(wire::ObjectReader& reader, PatchRequest& patch) {
    const wire::Json* labels = reader.member("labels");
    if (!labels) return;
    if (!labels->as_object()) return reader.fail("labels", "must be an object");
    for (const auto& [name, value] : *labels->as_object()) {
        std::optional<std::string> text;
        if (const std::string* given = value.as_string())
            text = *given;
        else if (!value.is_null())
            return reader.fail("labels", "must have texts, or null to remove one");
        if (auto right = check_label(name, text.value_or(std::string())); !right)
            return reader.fail("labels", right.error().message);
        patch.labels.emplace_back(name, std::move(text));
    }
}

Result<void> read_patch(const Api& api, const wire::Json& body, PatchRequest& patch) {
    const TimePoint now = api.gateway.clock().now();
    wire::ObjectReader reader{body};
    std::uint8_t priority = 0;
    if (reader.number("priority", priority, 0, kPriorityLast)) patch.priority = priority;
    read_moment(reader, "deadline", now, kDeadlineMax, patch.deadline);
    read_moment(reader, "not_before", now, api.options.not_before_max, patch.not_before);
    patch.sets_not_before = body.as_object() && body.find("not_before") != nullptr;
    read_labels(reader, patch);
    patch.labels_max = kLabelsMax;
    return reader.finish_strict();
}

}  // namespace

Answer patch_invocation(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto revision = expected_revision(request);
    if (!revision) co_return net::problem_response(revision.error());
    auto body = co_await net::read_json(request, api.options.document_max);
    if (!body) co_return net::problem_response(body.error());
    PatchRequest patch;
    patch.id = what->id;
    patch.tenant = what->tenant;
    patch.if_revision = *revision;
    if (auto done = read_patch(api, *body, patch); !done)
        co_return net::problem_response(done.error());
    auto snapshot = co_await api.gateway.patch_invocation(std::move(patch));
    if (!snapshot) co_return net::problem_response(snapshot.error());
    co_return document_response(200, *snapshot);
}

}  // namespace longhaul::gateway::routes
