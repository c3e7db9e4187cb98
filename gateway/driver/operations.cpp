// One at a time: retried as new, deleted, looked into; and the limits on all.
#include "gateway/driver/handle.hpp"
#include "gateway/driver/operations_handle.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

Error still_live(const Invocation& invocation) {
    return make_error(Errc::conflict,
                      "the invocation has not ended: it is " +
                          std::string(to_string(invocation.state)) + "; cancel or kill it first",
                      "still-live");
}

// As the caller wanted them then, counted from now; the time that it waited for, if it did, has
// come. A key names one invocation only.
SubmitOptions options_again(const Invocation& origin, const RetryOrder& order, TimePoint now) {
    SubmitOptions options = origin.options;
    options.idempotency_key = order.idempotency_key;
    options.fingerprint.clear();
    const TimePoint begins =
        std::max(origin.created_at, options.not_before.value_or(origin.created_at));
    if (options.deadline) options.deadline = now + (*options.deadline - begins);
    options.not_before.reset();
    return options;
}

}  // namespace

boost::asio::awaitable<Result<Submitted>> Gateway::retry(RetryOrder order) {
    TenantName tenant = order.tenant;
    InvocationId id = order.id;
    auto origin = co_await get(std::move(tenant), std::move(id));
    if (!origin) co_return origin.error();
    if (!is_terminal(origin->invocation.state)) co_return still_live(origin->invocation);
    if (order.of_dead_letter && !is_dead_letter(origin->invocation.state))
        co_return make_error(
            Errc::conflict,
            "it is no dead letter: it is " + std::string(to_string(origin->invocation.state)),
            "no-dead-letter");
    port::Position position = 0;
    auto answer = co_await retry_of(std::move(origin->invocation), std::move(order), position);
    if (!answer) co_return answer;
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

// The event is copied, not shared: each invocation's file goes with it, and with it alone.
boost::asio::awaitable<Result<Submitted>> Gateway::retry_of(Invocation origin, RetryOrder order,
                                                            port::Position& position) {
    Content event = origin.body;
    const std::uint64_t size = event.size;
    auto bytes = co_await ports_.bodies.read(std::move(event), 0, size);
    if (!bytes && bytes.error().code == Errc::not_found)
        co_return make_error(Errc::gone, "the event of this invocation is no longer kept",
                             "event-expired");
    if (!bytes) co_return bytes.error();
    SubmitInput input;
    input.tenant = origin.tenant;
    input.function = origin.function->name;
    input.content_type = origin.body.content_type;
    input.options = options_again(origin, order, ports_.clock.now());
    input.options_text = "retry-of:" + origin.id.text;
    input.content_length = size;
    input.body = bytes->get();
    input.retry_of = origin.id;
    input.is_only_retry = order.is_only;
    co_return co_await take_in(std::move(input), position);
}

boost::asio::awaitable<Result<void>> Gateway::purge(TenantName tenant, InvocationId id) {
    TenantName of = tenant;
    InvocationId which = id;
    auto snapshot = co_await get(std::move(of), std::move(which));
    if (!snapshot) co_return snapshot.error();
    if (!is_terminal(snapshot->invocation.state)) co_return still_live(snapshot->invocation);
    Result<void> answer;
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        answer = scheduler.purge(now, id, out);
    });
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return answer;
}

boost::asio::awaitable<Result<void>> Gateway::put_limits(RunLimits limits) {
    const port::Position position = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.put_limits(now, limits, out);
    });
    co_return co_await commits_.wait_durable(position);
}

boost::asio::awaitable<Result<Diagnosis>> Gateway::diagnose(TenantName tenant, InvocationId id) {
    TenantName of = tenant;
    InvocationId which = id;
    auto past = co_await history(std::move(of), std::move(which));
    if (!past) co_return past.error();
    which = id;
    auto snapshot = co_await get(std::move(tenant), std::move(which));
    if (!snapshot) co_return snapshot.error();
    Diagnosis diagnosis;
    diagnosis.snapshot = std::move(*snapshot);
    diagnosis.history = std::move(*past);
    diagnosis.inspection = scheduler_.inspect(id);
    diagnosis.staged = commits_.staged();
    diagnosis.durable = commits_.durable();
    diagnosis.applied = feeder_.applied();
    co_return diagnosis;
}

}  // namespace longhaul::gateway
