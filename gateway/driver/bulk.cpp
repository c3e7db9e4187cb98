// The same for many: stops of what is live, from the core; retries and purges of what has ended,
// from the view. Each call is bounded in number and time and says where the next one goes on.
#include "gateway/driver/handle.hpp"
#include "gateway/driver/operations_handle.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::uint32_t kPage = 200;  // read from the view at a time
constexpr std::size_t kAtOnce = 64;   // stops in one step of the core

using Place = std::pair<TimePoint, InvocationId>;

Place place_of(const Invocation& invocation) { return {invocation.created_at, invocation.id}; }

std::string reason_of(const Error& error) {
    return error.type.empty() ? std::string(to_string(error.code)) : error.type;
}

void refuse(BulkAnswer& answer, const Error& error) {
    ++answer.refused;
    ++answer.by_reason[reason_of(error)];
}

// No other of them would fare better just now.
bool ends_the_call(const Error& error) {
    return error.code == Errc::overloaded || error.code == Errc::unavailable;
}

}  // namespace

boost::asio::awaitable<Result<BulkAnswer>> Gateway::bulk(BulkOrder order) {
    const bool stops = order.verb == BulkVerb::cancel || order.verb == BulkVerb::kill;
    return stops ? bulk_stop(std::move(order)) : bulk_of_ended(std::move(order));
}

boost::asio::awaitable<Result<BulkAnswer>> Gateway::bulk_stop(BulkOrder order) {
    const TimePoint until = ports_.clock.now() + limits_.bulk_time;
    std::vector<Place> places;
    scheduler_.for_each([&](const Invocation& invocation) {
        if (is_terminal(invocation.state) || !query_matches(invocation, order.query)) return;
        if (order.query.after && place_of(invocation) >= *order.query.after) return;
        places.push_back(place_of(invocation));
    });
    std::ranges::sort(places, std::greater<>());
    const bool more = places.size() > order.query.limit;
    if (more) places.resize(order.query.limit);
    BulkAnswer answer;
    StopRequest request;
    request.tenant = order.query.tenant;
    request.cause = order.verb == BulkVerb::kill ? StopCause::kill : StopCause::cancel;
    request.by = order.by;
    request.reason = order.reason;
    request.grace = order.grace;
    while (answer.matched < places.size() && ports_.clock.now() < until) {
        const auto end = std::min<std::size_t>(places.size(), answer.matched + kAtOnce);
        const auto stop_some = [&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            for (; answer.matched < end; ++answer.matched) {
                if (order.dry_run) continue;
                request.id = places[answer.matched].second;
                const auto stopped = scheduler.stop(now, request, out);
                if (stopped)
                    ++answer.done;
                else
                    refuse(answer, stopped.error());
            }
        };
        const port::Position position = step(stop_some);
        auto durable = co_await commits_.wait_durable(position);
        if (!durable) co_return durable.error();
    }
    if (answer.matched > 0 && (more || answer.matched < places.size()))
        answer.next = places[answer.matched - 1];
    co_return answer;
}

boost::asio::awaitable<Result<std::vector<Invocation>>> Gateway::ended_page(ListQuery query) {
    Result<std::vector<Invocation>> page = std::vector<Invocation>{};
    std::function<void()> job = [this, &query, &page] { page = ports_.view.list_ended(query); };
    co_await ports_.workers.run(std::move(job));
    co_return page;
}

boost::asio::awaitable<Result<BulkAnswer>> Gateway::bulk_of_ended(BulkOrder order) {
    const TimePoint until = ports_.clock.now() + limits_.bulk_time;
    auto ready = co_await caught_up();
    if (!ready) co_return ready.error();
    const std::uint32_t limit = order.query.limit;
    BulkAnswer answer;
    answer.next = order.query.after;
    while (answer.matched < limit) {
        const auto wanted =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(kPage, limit - answer.matched));
        ListQuery query = order.query;
        query.after = answer.next;
        query.limit = wanted + 1;  // one more tells whether there are more
        auto page = co_await ended_page(std::move(query));
        if (!page) co_return page.error();
        const bool more = page->size() > wanted;
        if (more) page->resize(wanted);
        const std::uint64_t before = answer.matched;
        const std::uint64_t in_page = page->size();
        auto done = co_await do_bulk(order, std::move(*page), answer);
        if (!done) co_return done.error();
        const bool whole = answer.matched == before + in_page;
        if (whole && !more) answer.next.reset();
        if (!whole || !more || ports_.clock.now() >= until) break;
    }
    co_return answer;
}

// Leaves `next` at the last one that was dealt with; short of the page where it makes no sense to
// go on.
boost::asio::awaitable<Result<void>> Gateway::do_bulk(const BulkOrder& order,
                                                      std::vector<Invocation> page,
                                                      BulkAnswer& answer) {
    port::Position last = commits_.staged();
    for (Invocation& invocation : page) {
        Place place = place_of(invocation);
        Result<void> outcome;
        if (purged_ids_.contains(invocation.id)) {
            ++answer.matched;
            refuse(answer, make_error(Errc::gone, ""));
            answer.next = std::move(place);
            continue;
        }
        if (!order.dry_run && order.verb == BulkVerb::purge) {
            last = step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
                outcome = scheduler.purge(now, invocation.id, out);
            });
        } else if (!order.dry_run) {
            RetryOrder retry{invocation.tenant, invocation.id};
            retry.is_only = true;
            port::Position position = last;
            auto made = co_await retry_of(std::move(invocation), std::move(retry), position);
            last = std::max(last, position);
            if (!made) outcome = made.error();
            if (made && made->replayed)
                outcome = make_error(Errc::conflict, "it was retried before", "already-retried");
        }
        if (!outcome && ends_the_call(outcome.error())) {
            if (answer.matched == 0) co_return outcome.error();
            answer.stopped_by = reason_of(outcome.error());
            break;
        }
        ++answer.matched;
        answer.next = std::move(place);
        if (!outcome) refuse(answer, outcome.error());
        if (outcome && !order.dry_run) ++answer.done;
    }
    co_return co_await commits_.wait_durable(last);
}

}  // namespace longhaul::gateway
