// Reading: what is live comes from the core, what has ended from the view.
#include "gateway/driver/handle.hpp"
#include "gateway/driver/run_request.hpp"
#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace longhaul::gateway {
namespace {

constexpr int kCountTries = 5;

Error no_such_invocation(const InvocationId& id) {
    return make_error(Errc::not_found, "there is no invocation " + id.text, "unknown-invocation");
}

Error was_purged(const InvocationId& id) {
    return make_error(Errc::gone, "invocation " + id.text + " has ended and was removed");
}

std::pair<TimePoint, const InvocationId&> order_of(const Invocation& invocation) {
    return {invocation.created_at, invocation.id};
}

bool is_after_cursor(const Invocation& invocation, const ListQuery& query) {
    if (!query.after) return true;
    const std::pair<TimePoint, const InvocationId&> cursor{query.after->first, query.after->second};
    return query.newest_first ? order_of(invocation) < cursor : order_of(invocation) > cursor;
}

bool changed_since(const Invocation& invocation, std::uint32_t revision,
                   std::uint64_t status_version) {
    return is_terminal(invocation.state) || invocation.revision > revision ||
           (invocation.revision == revision && invocation.status_version > status_version);
}

// Ended ones as the view had them at one position.
struct Counted {
    std::map<State, std::uint64_t> by_state{};
    port::Position position = 0;
    Result<void> done{};
};

Counted count_once(View& view, const ListQuery& query) {
    Counted counted;
    counted.position = view.applied();
    for (int number = 1; number <= kStateCount; ++number) {
        const auto state = static_cast<State>(number);
        const bool wanted =
            query.states.empty() || std::ranges::find(query.states, state) != query.states.end();
        if (!is_terminal(state) || !wanted) continue;
        ListQuery of_state = query;
        of_state.states = {state};
        auto count = view.count_ended(of_state);
        if (!count) {
            counted.done = count.error();
            return counted;
        }
        if (*count > 0) counted.by_state[state] = *count;
    }
    return counted;
}

// Again where the view went on meanwhile, so that it is known what was counted.
Counted count_in(View& view, const ListQuery& query) {
    Counted counted = count_once(view, query);
    for (int tries = 1; tries < kCountTries && view.applied() != counted.position; ++tries)
        counted = count_once(view, query);
    return counted;
}

}  // namespace

bool query_matches(const Invocation& invocation, const ListQuery& query) {
    if (invocation.tenant != query.tenant) return false;
    if (query.function && invocation.function->name != *query.function) return false;
    if (!query.states.empty() &&
        std::ranges::find(query.states, invocation.state) == query.states.end())
        return false;
    for (const auto& label : query.labels)
        if (std::ranges::find(invocation.options.labels, label) == invocation.options.labels.end())
            return false;
    if (query.since && invocation.created_at < *query.since) return false;
    if (query.until && invocation.created_at >= *query.until) return false;
    return true;
}

boost::asio::awaitable<Result<Snapshot>> Gateway::get(TenantName tenant, InvocationId id) {
    if (purged_ids_.contains(id)) co_return was_purged(id);
    const Invocation* live = scheduler_.find(id);
    if (!live) {
        auto ended = co_await read_view(std::move(tenant), std::move(id));
        if (!ended) co_return ended.error();
        co_return Snapshot{std::move(*ended), WaitInfo{}};
    }
    if (live->tenant != tenant) co_return no_such_invocation(id);
    Snapshot snapshot{*live, scheduler_.wait_info(*live)};
    if (mutant(Mutant::read_not_durable)) co_return snapshot;
    const port::Position position = commits_.staged();
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    // Meanwhile its status may have moved on, and others may have been told.
    const Invocation* now = scheduler_.find(id);
    if (now && now->revision == snapshot.invocation.revision)
        snapshot = Snapshot{*now, scheduler_.wait_info(*now)};
    co_return snapshot;
}

boost::asio::awaitable<Result<Invocation>> Gateway::read_view(TenantName tenant, InvocationId id) {
    Result<Invocation> found = no_such_invocation(id);
    std::function<void()> job = [this, &id, &found] { found = ports_.view.get(id); };
    co_await ports_.workers.run(std::move(job));
    if (found && found->tenant != tenant) co_return no_such_invocation(id);
    if (found && purged_ids_.contains(id)) co_return was_purged(id);
    if (!found && found.error().code == Errc::not_found) co_return no_such_invocation(id);
    co_return found;
}

boost::asio::awaitable<Result<Snapshot>> Gateway::wait_change(TenantName tenant, InvocationId id,
                                                              std::uint32_t revision,
                                                              std::uint64_t status_version,
                                                              TimePoint until) {
    Watches::Watch watch{watches_, id};
    while (true) {
        const std::uint64_t seen = watch.count();
        TenantName of = tenant;
        InvocationId which = id;
        auto snapshot = co_await get(std::move(of), std::move(which));
        if (!snapshot || changed_since(snapshot->invocation, revision, status_version))
            co_return snapshot;
        if (stopping_ || ports_.clock.now() >= until) co_return snapshot;
        co_await watch.wait(seen, ports_.clock, until);
    }
}

boost::asio::awaitable<Result<Snapshot>> Gateway::wait_end(TenantName tenant, InvocationId id,
                                                           TimePoint until) {
    Watches::Watch watch{watches_, id};
    while (true) {
        const std::uint64_t seen = watch.count();
        TenantName of = tenant;
        InvocationId which = id;
        auto snapshot = co_await get(std::move(of), std::move(which));
        if (!snapshot || is_terminal(snapshot->invocation.state)) co_return snapshot;
        if (stopping_ || ports_.clock.now() >= until) co_return snapshot;
        co_await watch.wait(seen, ports_.clock, until);
    }
}

boost::asio::awaitable<Result<void>> Gateway::caught_up() {
    if (!feeder_.failure().empty())
        co_return make_error(Errc::unavailable, "the view cannot be written: " + feeder_.failure(),
                             "store-unavailable");
    const TimePoint until = ports_.clock.now() + limits_.list_wait;
    // A view that lags is no error: what it lacks is still in the core.
    co_await feeder_.wait_applied(commits_.durable(), until);
    co_return Result<void>{};
}

boost::asio::awaitable<Result<std::vector<Snapshot>>> Gateway::list(ListQuery query) {
    auto ready = co_await caught_up();
    if (!ready) co_return ready.error();
    const ViewReading reading{*this};
    Result<std::vector<Invocation>> ended = std::vector<Invocation>{};
    std::function<void()> job = [this, &query, &ended] { ended = ports_.view.list_ended(query); };
    co_await ports_.workers.run(std::move(job));
    if (!ended) co_return ended.error();

    std::vector<Snapshot> found;
    std::set<InvocationId> in_core;
    scheduler_.for_each([&](const Invocation& invocation) {
        if (!query_matches(invocation, query) || purged_ids_.contains(invocation.id)) return;
        in_core.insert(invocation.id);
        if (is_after_cursor(invocation, query))
            found.push_back(Snapshot{invocation, scheduler_.wait_info(invocation)});
    });
    for (Invocation& invocation : *ended)
        if (!in_core.contains(invocation.id))
            found.push_back(Snapshot{std::move(invocation), WaitInfo{}});
    std::ranges::sort(found, [&](const Snapshot& left, const Snapshot& right) {
        return query.newest_first ? order_of(left.invocation) > order_of(right.invocation)
                                  : order_of(left.invocation) < order_of(right.invocation);
    });
    if (found.size() > query.limit) found.resize(query.limit);
    const port::Position position = commits_.staged();
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return durable.error();
    co_return found;
}

boost::asio::awaitable<Result<std::map<State, std::uint64_t>>> Gateway::count(ListQuery query) {
    auto ready = co_await caught_up();
    if (!ready) co_return ready.error();
    Counted ended;
    const ViewReading reading{*this};
    std::function<void()> job = [this, &query, &ended] { ended = count_in(ports_.view, query); };
    co_await ports_.workers.run(std::move(job));
    if (!ended.done) co_return ended.done.error();
    LH_ASSERT(ended.position >= reading.began_at());
    // Ended ones stay in the core until the view has them, and those that it had for a moment more.
    std::set<InvocationId> in_view;
    for (const auto& [position, id] : ended_)
        if (position <= ended.position) in_view.insert(id);
    std::map<State, std::uint64_t> counts = std::move(ended.by_state);
    scheduler_.for_each([&](const Invocation& invocation) {
        if (!query_matches(invocation, query) || purged_ids_.contains(invocation.id)) return;
        if (!is_terminal(invocation.state) || !in_view.contains(invocation.id))
            ++counts[invocation.state];
    });
    const port::Position staged = commits_.staged();
    auto durable = co_await commits_.wait_durable(staged);
    if (!durable) co_return durable.error();
    co_return counts;
}

boost::asio::awaitable<Result<std::vector<HistoryEntry>>> Gateway::history(TenantName tenant,
                                                                           InvocationId id) {
    TenantName of = tenant;
    InvocationId which = id;
    auto snapshot = co_await get(std::move(of), std::move(which));
    if (!snapshot) co_return snapshot.error();
    auto ready = co_await caught_up();
    if (!ready) co_return ready.error();
    Result<std::vector<HistoryEntry>> found = std::vector<HistoryEntry>{};
    std::function<void()> job = [this, &id, &found] { found = ports_.view.history(id); };
    co_await ports_.workers.run(std::move(job));
    co_return found;
}

boost::asio::awaitable<Result<std::unique_ptr<port::ByteSource>>> Gateway::read_result(
    Content content, std::uint64_t offset, std::uint64_t length) {
    auto stream = co_await ports_.bodies.read(std::move(content), offset, length);
    co_return stream;
}

boost::asio::awaitable<Result<OpenLog>> Gateway::open_log(Snapshot snapshot, AttemptNumber attempt,
                                                          std::string query) {
    std::string address;
    for (const Attempt& known : snapshot.invocation.attempts) {
        if (known.number != attempt) continue;
        const Host* host = scheduler_.hosts().find(known.host);
        address = host && host->known ? host->news.address : known.host_address;
    }
    if (address.empty())
        co_return make_error(Errc::not_found, "there is no attempt " + std::to_string(attempt));
    port::PeerRequest request{"GET", "/v1/invocations/" + snapshot.invocation.id.text +
                                         "/attempts/" + std::to_string(attempt) + "/logs?" + query};
    auto response = co_await ports_.peer.call(std::move(address), std::move(request),
                                              limits_.dispatch.call_limit);
    if (!response)
        co_return make_error(
            Errc::unavailable,
            "the host of this attempt cannot be reached: " + response.error().message,
            "logs-unavailable");
    if (response->status == 200) {
        OpenLog log{std::move(response->body), std::nullopt};
        const std::string_view begin = response->header("Longhaul-Log-Offset");
        std::uint64_t offset = 0;
        const auto parsed = std::from_chars(begin.data(), begin.data() + begin.size(), offset);
        if (!begin.empty() && parsed.ec == std::errc{}) log.first_byte = offset;
        co_return log;
    }
    auto body = co_await port::read_all(*response->body, 64 * 1024);
    co_return wire::error_from_problem(response->status, body ? *body : std::string());
}

}  // namespace longhaul::gateway
