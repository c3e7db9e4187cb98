// Hosts that are to become empty: the order goes to the host, which decides; nothing is sent there
// meanwhile.
#include "gateway/driver/drain_handle.hpp"
#include "gateway/driver/handle.hpp"
#include "gateway/driver/run_request.hpp"
#include "longhaul/wire/json.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 8u << 20;

void keep_earlier(std::optional<TimePoint>& best, std::optional<TimePoint> candidate) {
    if (candidate && (!best || *candidate < *best)) best = candidate;
}

std::string text_of(const wire::Json& value) {
    const auto* text = value.as_string();
    return text ? *text : std::string();
}

bool is_true(const wire::Json& value) {
    const auto* flag = value.as_bool();
    return flag && *flag;
}

std::optional<TimePoint> time_of(const wire::Json& value) {
    auto time = parse_rfc3339(text_of(value));
    return time ? std::optional(*time) : std::nullopt;
}

// When the run has ended at the latest, by its own limits.
std::optional<TimePoint> own_limit(const Invocation& invocation) {
    std::optional<TimePoint> until = invocation.deadline;
    const auto& started_at = invocation.current()->started_at;
    if (started_at) keep_earlier(until, *started_at + invocation.timeout());
    if (invocation.state == State::stopping)
        keep_earlier(until, invocation.stop.at + invocation.stop.grace);
    return until;
}

HostDrain::Blocking decode_blocking(const wire::Json& row, const Scheduler& scheduler) {
    HostDrain::Blocking blocking;
    blocking.id.text = text_of(row["invocation"]);
    const auto* attempt = row["attempt"].as_integer();
    blocking.attempt = static_cast<AttemptNumber>(attempt ? *attempt : 0);
    blocking.function = text_of(row["function"]);
    blocking.state = text_of(row["state"]);
    blocking.since = text_of(row["since"]);
    blocking.until = time_of(row["until"]);
    const Invocation* invocation = scheduler.find(blocking.id);
    if (!invocation) return blocking;
    blocking.function = invocation->function->name.text;
    const Attempt* current = invocation->current();
    if (!current || current->number != blocking.attempt || is_terminal(invocation->state))
        return blocking;
    blocking.state = to_string(invocation->state);
    blocking.since = format_rfc3339(current->started_at.value_or(current->dispatched_at));
    keep_earlier(blocking.until, own_limit(*invocation));
    return blocking;
}

HostDrain decode_drain(const wire::Json& answer, const Scheduler& scheduler) {
    HostDrain drain;
    drain.draining = is_true(answer["draining"]);
    drain.drained = is_true(answer["drained"]);
    drain.drain_by = time_of(answer["drain_by"]);
    drain.reason = text_of(answer["reason"]);
    if (const auto* instances = answer["instances"].as_integer()) drain.instances = *instances;
    if (const auto* rows = answer["blocking"].as_array())
        for (const wire::Json& row : *rows)
            drain.blocking.push_back(decode_blocking(row, scheduler));
    return drain;
}

port::PeerRequest request_of(const std::optional<DrainWish>& wish) {
    if (!wish) return {"GET", "/v1/drain"};
    wire::Json order = wire::Json::object();
    order.set("drain", wish->drain);
    if (wish->by) order.set("drain_by_ms", to_ms(*wish->by));
    if (!wish->reason.empty()) order.set("reason", wish->reason);
    return {"POST", "/v1/drain", {}, order.dump()};
}

}  // namespace

boost::asio::awaitable<Result<HostDrain>> Gateway::drain_host(HostId id,
                                                              std::optional<DrainWish> wish) {
    const Host* host = scheduler_.hosts().find(id);
    if (!host || host->news.address.empty())
        co_return make_error(Errc::not_found, "there is no host \"" + id.text + "\"",
                             "unknown-host");
    if (wish && wish->drain) scheduler_.hold_host(id);
    std::string address = host->news.address;
    const std::string where = "host " + id.text + " at " + address;
    port::PeerRequest request = request_of(wish);
    auto text = co_await call_for_json(ports_.peer, std::move(address), std::move(request),
                                       limits_.dispatch.call_limit, kAnswerBytesMax);
    Result<wire::Json> answer = text ? wire::parse_json(*text) : Result<wire::Json>(text.error());
    std::optional<HostDrain> drain;
    if (answer) drain = decode_drain(*answer, scheduler_);
    if (wish) {
        const auto draining = drain ? std::optional(drain->draining) : std::nullopt;
        step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            scheduler.drain_answered(now, id, draining, out);
        });
    }
    if (!answer) co_return make_error(answer.error().code, where + ": " + answer.error().message);
    drain->host = std::move(id);
    co_return std::move(*drain);
}

}  // namespace longhaul::gateway
