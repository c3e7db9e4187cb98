#include "gateway/driver/drain_handle.hpp"
#include "gateway/routes/handlers.hpp"

namespace longhaul::gateway::routes {
namespace {

constexpr Duration kLimitMax = std::chrono::hours(24 * 7);
constexpr std::size_t kReasonBytesMax = 1024;

wire::Json time_or_null(const std::optional<TimePoint>& time) {
    return time ? wire::Json(format_rfc3339(*time)) : wire::Json();
}

wire::Json text_or_null(const std::string& text) {
    return text.empty() ? wire::Json() : wire::Json(text);
}

wire::Json document_of(const HostDrain& drain) {
    wire::Json blocking = wire::Json::array();
    for (const HostDrain::Blocking& each : drain.blocking)
        blocking.push(wire::Json::object()
                          .set("invocation", each.id.text)
                          .set("attempt", std::int64_t{each.attempt})
                          .set("function", text_or_null(each.function))
                          .set("state", each.state)
                          .set("since", text_or_null(each.since))
                          .set("until", time_or_null(each.until)));
    return wire::Json::object()
        .set("host", drain.host.text)
        .set("draining", drain.draining)
        .set("drained", drain.drained)
        .set("drain_by", time_or_null(drain.drain_by))
        .set("reason", text_or_null(drain.reason))
        .set("instances", drain.instances)
        .set("blocking", std::move(blocking));
}

// An absent or empty body is the order to drain, without a limit.
boost::asio::awaitable<Result<DrainWish>> read_wish(const Api& api, net::Request& request) {
    DrainWish wish;
    auto text = co_await port::read_all(*request.body, api.options.document_max);
    if (!text) co_return text.error();
    if (text->empty()) co_return wish;
    auto body = wire::parse_json(*text);
    if (!body) co_return body.error();
    wire::ObjectReader reader{*body};
    Duration by{};
    reader.boolean("drain", wish.drain);
    if (reader.duration("drain_by", by, Duration::zero(), kLimitMax)) wish.by = by;
    reader.text("reason", wish.reason);
    if (wish.reason.size() > kReasonBytesMax)
        reader.fail("reason", "is longer than " + std::to_string(kReasonBytesMax) + " bytes");
    if (!wish.drain && wish.by) reader.fail("drain_by", "has no meaning where drain is false");
    if (auto done = reader.finish_strict(); !done) co_return done.error();
    co_return wish;
}

Answer ask_host(const Api& api, const net::Request& request, std::optional<DrainWish> wish) {
    HostId host{request.param("host")};
    auto drain = co_await api.gateway.drain_host(std::move(host), std::move(wish));
    if (!drain) co_return net::problem_response(drain.error());
    co_return net::json_response(200, document_of(*drain));
}

}  // namespace

Answer get_drain(const Api& api, net::Request& request) {
    return ask_host(api, request, std::nullopt);
}

Answer set_drain(const Api& api, net::Request& request) {
    auto wish = co_await read_wish(api, request);
    if (!wish) co_return net::problem_response(wish.error());
    std::optional<DrainWish> order = std::move(*wish);
    co_return co_await ask_host(api, request, std::move(order));
}

}  // namespace longhaul::gateway::routes
