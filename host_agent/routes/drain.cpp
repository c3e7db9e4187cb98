#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {
namespace {

wire::Json describe_drain(const Handles& handles) {
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("draining", handles.drain.on());
    const auto until = handles.drain.drain_by();
    answer.set("drain_by", until ? wire::Json(format_rfc3339(*until)) : wire::Json());
    wire::Json blocking = wire::Json::array();
    for (const auto& [key, run] : handles.ledger.core().runs()) {
        if (run.state == RunState::ended) continue;
        wire::Json item = wire::Json::object();
        item.set("invocation", key.invocation.text);
        item.set("attempt", std::int64_t{key.attempt});
        blocking.push(std::move(item));
    }
    answer.set("blocking", std::move(blocking));
    return answer;
}

}  // namespace

Answer drain_get(const Handles& handles, net::Request&) {
    co_return net::json_response(200, describe_drain(handles));
}

// {"drain": true | false, "drain_by_ms": milliseconds left, none = as long as it takes}
Answer drain_post(const Handles& handles, net::Request& request) {
    auto message = co_await net::read_json(request, kMessageMax);
    if (!message) co_return net::problem_response(message.error());
    constexpr std::int64_t kWeekMs = 7ll * 24 * 3600 * 1000;
    bool drain = true;
    std::int64_t left_ms = 0;
    wire::ObjectReader reader(*message);
    reader.boolean("drain", drain);
    const bool limited = reader.integer("drain_by_ms", left_ms, 0, kWeekMs);
    if (auto done = reader.finish(); !done) co_return net::problem_response(done.error());
    std::optional<TimePoint> until;
    if (limited) until = handles.clock.now() + std::chrono::milliseconds(left_ms);
    if (drain)
        handles.drain.begin(until);
    else
        handles.drain.end();
    handles.ledger.changed().notify_all();
    co_return net::json_response(200, describe_drain(handles));
}

}  // namespace longhaul::host_agent::routes
