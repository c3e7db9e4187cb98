#include "host_agent/driver/lease_flow.hpp"

#include "longhaul/base/at_exit.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr int kTriesMax = 3;  // a run that starts and ends between two of our questions

Error silent(const InstanceId& id, const Error& why) {
    return make_error(Errc::unavailable,
                      "the runtime agent " + id.text + " does not answer: " + why.message,
                      "instance-silent");
}

}  // namespace

struct LeaseFlow::Closing {
    explicit Closing(asio::any_io_executor executor) : done(executor) {}

    bool finished = false;
    // Until the work has come to an end of its own.
    Result<void> result =
        make_error(Errc::unavailable, "the lease was not closed", "instance-silent");
    net::Notifier done;
};

// One question's; shared with those that ask, who may outlive it.
struct LeaseFlow::Hearing {
    explicit Hearing(asio::any_io_executor executor) : done(executor) {}

    std::vector<InstanceId> to_ask{};
    std::size_t next = 0;  // of to_ask
    std::size_t open = 0;  // that ask
    TimePoint until{};
    std::set<InstanceId> silent{};
    net::Notifier done;
};

LeaseFlow::LeaseFlow(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                     Ledger& ledger, AgentControl& control, StatusFlow& status,
                     const LeaseLimits& limits)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      control_(control),
      status_(status),
      limits_(limits),
      executor_(executor),
      tasks_(executor, logger_) {}

asio::awaitable<void> LeaseFlow::stop() {
    tasks_.cancel();
    co_await tasks_.join();
    for (auto& [id, closing] : closing_) {
        closing->finished = true;
        closing->result = make_error(Errc::unavailable, "the host agent is stopping", "stopping");
        closing->done.notify_all();
    }
    closing_.clear();
}

asio::awaitable<Result<void>> LeaseFlow::close(InstanceId id) {
    if (!leased(id)) co_return Result<void>{};
    const std::shared_ptr<Closing> closing = begin(id);
    while (!closing->finished) co_await closing->done.wait();
    co_return closing->result;
}

std::shared_ptr<LeaseFlow::Closing> LeaseFlow::begin(const InstanceId& id) {
    std::shared_ptr<Closing>& closing = closing_[id];
    if (!closing) {
        closing = std::make_shared<Closing>(executor_);
        tasks_.start("close_lease", work(id, closing));
    }
    return closing;
}

asio::awaitable<void> LeaseFlow::work(InstanceId id, std::shared_ptr<Closing> closing) {
    const AtExit end([this, &id, &closing] { finish(id, *closing); });
    const InstanceId of = id;
    closing->result = co_await try_close(of);
}

void LeaseFlow::finish(const InstanceId& id, Closing& closing) {
    if (!closing.result && !tasks_.cancelled()) {
        ++counters_.stuck;
        const Instance* instance = ledger_.core().instance(id);
        const bool again = instance != nullptr && instance->lease_stuck;
        ledger_.core().lease_stuck(id);
        if (!again)
            logger_.warning("lease_not_closed",
                            {{"instance", id.text}, {"reason", closing.result.error().message}});
    }
    closing_.erase(id);
    closing.finished = true;
    closing.done.notify_all();
}

asio::awaitable<Result<void>> LeaseFlow::try_close(InstanceId id) {
    for (int tries = 0; tries < kTriesMax; ++tries) {
        const auto process = leased(id);
        if (!process) break;
        wire::AssignRequest request;
        request.to = wire::AssignTo::nobody;
        auto told = co_await control_.assign(*process, std::move(request));
        // Refused for a run that has started: its status says which.
        if (!told && told.error().code != Errc::conflict) co_return silent(id, told.error());
        const InstanceId of = id;
        auto heard = co_await hear(of);
        if (!heard) co_return heard;
        if (!leased(id)) break;
        if (!told) continue;
        Records out;
        ledger_.core().close_lease(id, out);
        ledger_.stage(std::move(out));
        ++counters_.closed;
        break;
    }
    if (leased(id))
        co_return make_error(Errc::unavailable, "the runtime agent does not say what it runs",
                             "instance-silent");
    co_return Result<void>{};
}

asio::awaitable<Result<void>> LeaseFlow::settle(RunKey key, Token token, InstanceId sent_to) {
    if (ledger_.core().run(key) != nullptr) co_return Result<void>{};
    auto closed = co_await close(sent_to);
    if (!closed) co_return closed;
    status_.lost_with_lease(key, token, sent_to);
    co_return Result<void>{};
}

asio::awaitable<Result<void>> LeaseFlow::hear(InstanceId id, std::optional<Duration> limit) {
    const auto process = leased(id);
    if (!process) co_return Result<void>{};
    auto status = co_await control_.status(*process, limit);
    if (!status) co_return silent(id, status.error());
    auto heard = co_await status_.heard(id, std::move(*status));
    if (!heard && heard.error().code != Errc::gone) co_return heard.error();
    co_return Result<void>{};
}

asio::awaitable<std::set<InstanceId>> LeaseFlow::hear_of(wire::StatusQuery query) {
    const auto hearing = std::make_shared<Hearing>(executor_);
    for (std::size_t index = 0; index < query.instances.size(); ++index) {
        const InstanceId& sent_to = query.instances[index];
        if (ledger_.core().run(run_key(query.keys[index])) != nullptr || !leased(sent_to)) continue;
        if (hearing->silent.insert(sent_to).second) hearing->to_ask.push_back(sent_to);
    }
    hearing->until = clock_.now() + limits_.hear_timeout;
    hearing->open = std::min<std::size_t>(limits_.hear_at_once, hearing->to_ask.size());
    const std::size_t askers = hearing->open;
    for (std::size_t asker = 0; asker < askers; ++asker) tasks_.start("hear", hear_next(hearing));
    while (hearing->open > 0 && !tasks_.cancelled()) co_await hearing->done.wait();
    co_return hearing->silent;
}

// Whoever has not been heard when the time is over counts as silent.
asio::awaitable<void> LeaseFlow::hear_next(std::shared_ptr<Hearing> hearing) {
    const AtExit end([&hearing] {
        --hearing->open;
        hearing->done.notify_all();
    });
    while (hearing->next < hearing->to_ask.size()) {
        const Duration left = hearing->until - clock_.now();
        if (left <= Duration::zero()) co_return;
        const InstanceId id = hearing->to_ask[hearing->next++];
        auto heard = co_await hear(id, left);
        if (heard) hearing->silent.erase(id);
    }
}

asio::awaitable<Result<wire::KillOutcome>> LeaseFlow::kill(InstanceId id, wire::KillOrder order) {
    const RunKey key = run_key(order.key);
    const Token token = order.token;
    const auto process = leased(id);
    if (process) {
        auto outcome = co_await control_.kill(*process, std::move(order));
        if (!outcome) co_return silent(id, outcome.error());
        if (*outcome == wire::KillOutcome::fenced && ledger_.core().run(key) == nullptr) {
            Records out;
            ledger_.core().fence(clock_.now(), key, out);
            ledger_.core().unblock(key);
            const Ledger::Ticket ticket = ledger_.stage(std::move(out));
            auto durable = co_await ledger_.durable(ticket);
            if (!durable) co_return durable.error();
            co_return *outcome;
        }
        const InstanceId of = id;
        auto heard = co_await hear(of);
        if (!heard) co_return heard.error();
    }
    status_.lost_with_lease(key, token, id);
    const Run* run = ledger_.core().run(key);
    if (run == nullptr)
        co_return make_error(Errc::unavailable, "what became of the attempt is not known yet",
                             "instance-silent");
    ledger_.core().unblock(key);
    co_return run->state == RunState::ended ? wire::KillOutcome::ended
                                            : wire::KillOutcome::stopping;
}

void LeaseFlow::tick(bool all) {
    std::vector<InstanceId> due = ledger_.core().leases_due(clock_.now());
    if (all) {
        due.clear();
        for (const auto& [id, instance] : ledger_.core().instances())
            if (instance.lease) due.push_back(id);
    }
    for (const InstanceId& id : due) (void)begin(id);
}

std::optional<InstanceProcess> LeaseFlow::leased(const InstanceId& id) const {
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr || !instance->lease) return std::nullopt;
    return instance->process;
}

}  // namespace longhaul::host_agent
