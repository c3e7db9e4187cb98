#include "host_agent/routes/handlers.hpp"

namespace longhaul::host_agent::routes {
namespace {

constexpr std::int64_t kLimitMaxMs = 7ll * 24 * 3600 * 1000;
constexpr std::size_t kReasonBytesMax = 1024;

wire::Json time_or_null(const std::optional<TimePoint>& time) {
    return time ? wire::Json(format_rfc3339(*time)) : wire::Json();
}

wire::Json describe_run(const Handles& handles, const RunKey& key,
                        const std::optional<TimePoint>& until) {
    const HostCore& core = handles.ledger.core();
    const Run& run = *core.run(key);
    const wire::StatusEntry entry = handles.ledger.entry(key);
    TimePoint since = run.taken_at;
    if (entry.started_ms_ago)
        since = handles.clock.now() - std::chrono::milliseconds(*entry.started_ms_ago);
    const Instance* instance = core.instance(run.instance);
    const bool is_taking = run.state == RunState::taking;
    wire::Json item = wire::Json::object();
    item.set("invocation", key.invocation.text);
    item.set("attempt", std::int64_t{key.attempt});
    item.set("function", instance != nullptr && instance->loaded
                             ? wire::Json(instance->loaded->function.text)
                             : wire::Json());
    item.set("state", is_taking ? "taking" : to_string(entry.rank));
    item.set("since", format_rfc3339(since));
    item.set("until", run.state == RunState::ended ? wire::Json() : time_or_null(until));
    return item;
}

wire::Json describe_drain(const Handles& handles) {
    const HostCore& core = handles.ledger.core();
    const DrainOrder* order = core.drain();
    const auto until = order == nullptr ? std::nullopt : order->by;
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("host", handles.host.text);
    answer.set("draining", order != nullptr);
    answer.set("drained", core.drained());
    answer.set("drain_by", time_or_null(until));
    answer.set("reason", order == nullptr ? std::string() : order->reason);
    answer.set("instances", std::uint64_t{core.instances().size()});
    wire::Json blocking = wire::Json::array();
    for (const RunKey& key : core.blocking()) blocking.push(describe_run(handles, key, until));
    answer.set("blocking", std::move(blocking));
    return answer;
}

}  // namespace

Answer drain_get(const Handles& handles, net::Request&) {
    co_return net::json_response(200, describe_drain(handles));
}

// {"drain": true | false, "drain_by_ms": milliseconds left, none = as long as it takes, "reason"}
Answer drain_post(const Handles& handles, net::Request& request) {
    auto message = co_await net::read_json(request, kMessageMax);
    if (!message) co_return net::problem_response(message.error());
    bool drain = true;
    std::int64_t left_ms = 0;
    DrainOrder order;
    order.since = handles.clock.now();
    wire::ObjectReader reader(*message);
    reader.boolean("drain", drain);
    if (reader.integer("drain_by_ms", left_ms, 0, kLimitMaxMs))
        order.by = order.since + std::chrono::milliseconds(left_ms);
    reader.text("reason", order.reason);
    if (order.reason.size() > kReasonBytesMax)
        reader.fail("reason", "is longer than " + std::to_string(kReasonBytesMax) + " bytes");
    if (auto done = reader.finish(); !done) co_return net::problem_response(done.error());
    Result<void> done;
    if (drain)
        done = co_await handles.drain.begin(std::move(order));
    else
        done = co_await handles.drain.end();
    if (!done) co_return net::problem_response(done.error());
    co_return net::json_response(200, describe_drain(handles));
}

}  // namespace longhaul::host_agent::routes
