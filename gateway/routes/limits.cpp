// The limits on what runs at once, and who holds the slots.
#include "gateway/routes/handlers.hpp"
#include "longhaul/wire/base64.hpp"

#include <charconv>

namespace longhaul::gateway::routes {
namespace {

constexpr std::uint32_t kHoldersDefault = 100;
constexpr std::int64_t kAttemptsMax = 10'000'000;

Error bad_parameter(const char* name, const std::string& why) {
    return make_error(Errc::invalid_argument, std::string("query ") + name + ": " + why,
                      "invalid-parameter");
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

// "attempt id host": an id has no space.
std::string cursor_of(const SlotHolder& holder) {
    return wire::base64_encode(std::to_string(holder.attempt) + " " + holder.id.text + " " +
                               holder.host.text);
}

std::optional<SlotPlace> place_of(std::string_view cursor) {
    const auto text = wire::base64_decode(cursor);
    if (!text) return std::nullopt;
    const std::size_t first = text->find(' ');
    const std::size_t second = text->find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos) return std::nullopt;
    AttemptNumber attempt = 0;
    if (!read_number(std::string_view(*text).substr(0, first), attempt)) return std::nullopt;
    return SlotPlace{
        HostId{text->substr(second + 1)},
        AttemptName{InvocationId{text->substr(first + 1, second - first - 1)}, attempt}};
}

struct Page {
    std::uint32_t limit = kHoldersDefault;
    std::optional<SlotPlace> after{};
};

Result<Page> page_of(const Api& api, const net::Request& request) {
    Page page;
    page.limit = std::min(page.limit, api.options.list_max);
    if (const auto limit = request.query_value("limit"))
        if (!read_number(*limit, page.limit) || page.limit == 0 ||
            page.limit > api.options.list_max)
            return bad_parameter(
                "limit", "is not a number from 1 to " + std::to_string(api.options.list_max));
    if (const auto cursor = request.query_value("cursor")) {
        page.after = place_of(*cursor);
        if (!page.after) return bad_parameter("cursor", "is not one that was given out");
    }
    return page;
}

wire::Json holder_document(const SlotHolder& holder) {
    return wire::Json::object()
        .set("id", holder.id.text)
        .set("attempt", std::uint64_t{holder.attempt})
        .set("tenant", holder.tenant.text)
        .set("function", holder.function.text)
        .set("host", holder.host.text)
        .set("state", to_string(holder.state))
        .set("since", format_rfc3339(holder.since));
}

wire::Json limits_document(const Api& api, const Page& page) {
    const Scheduler& scheduler = api.gateway.scheduler();
    wire::Json by_tenant = wire::Json::array();
    for (const auto& [name, tenant] : scheduler.tenants())
        if (tenant.running > 0)
            by_tenant.push(
                wire::Json::object().set("tenant", name.text).set("running", tenant.running));
    wire::Json by_function = wire::Json::array();
    for (const auto& [key, queue] : scheduler.functions())
        if (queue.running > 0)
            by_function.push(wire::Json::object()
                                 .set("tenant", key.first.text)
                                 .set("function", key.second.text)
                                 .set("running", queue.running)
                                 .set("max_running", queue.current
                                                         ? wire::Json(queue.current->max_running)
                                                         : wire::Json()));
    auto found = scheduler.slot_holders(page.after, page.limit + 1);
    const bool more = found.size() > page.limit;
    if (more) found.resize(page.limit);
    wire::Json holders = wire::Json::array();
    for (const SlotHolder& holder : found) holders.push(holder_document(holder));
    return wire::Json::object()
        .set("global_max", scheduler.run_limits().global_max)
        .set("tenant_max", scheduler.run_limits().tenant_max)
        .set("queued_max", api.gateway.limits().scheduler.queued_max)
        .set("queued_bytes_max", api.gateway.limits().scheduler.queued_bytes_max)
        .set("running", std::uint64_t{scheduler.running_count()})
        .set("queued", std::uint64_t{scheduler.waiting_count()})
        .set("scheduled_or_retrying", std::uint64_t{scheduler.timed_count()})
        .set("queued_bytes", scheduler.waiting_bytes())
        .set("by_tenant", std::move(by_tenant))
        .set("by_function", std::move(by_function))
        .set("holders", std::move(holders))
        .set("next_cursor", more ? wire::Json(cursor_of(found.back())) : wire::Json());
}

}  // namespace

Answer get_limits(const Api& api, net::Request& request) {
    const auto page = page_of(api, request);
    if (!page) co_return net::problem_response(page.error());
    co_return net::json_response(200, limits_document(api, *page));
}

// What is not named stays as it is.
Answer put_limits(const Api& api, net::Request& request) {
    auto body = co_await net::read_json(request, api.options.document_max);
    if (!body) co_return net::problem_response(body.error());
    RunLimits limits = api.gateway.scheduler().run_limits();
    wire::ObjectReader reader{*body};
    reader.number("global_max", limits.global_max, 1, kAttemptsMax);
    reader.number("tenant_max", limits.tenant_max, 0, kAttemptsMax);
    if (auto done = reader.finish_strict(); !done) co_return net::problem_response(done.error());
    auto done = co_await api.gateway.put_limits(limits);
    if (!done) co_return net::problem_response(done.error());
    const Page page;
    co_return net::json_response(200, limits_document(api, page));
}

}  // namespace longhaul::gateway::routes
