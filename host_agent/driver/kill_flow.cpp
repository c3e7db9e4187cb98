#include "host_agent/driver/kill_flow.hpp"

#include "longhaul/base/at_exit.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kRetryFirst = std::chrono::milliseconds(100);
constexpr Duration kRetryMax = std::chrono::seconds(2);

}  // namespace

// Shared by the request that waits and by the orders that may outlive it.
struct KillFlow::Batch {
    explicit Batch(asio::any_io_executor executor) : done(executor) {}

    void add(const wire::AttemptKey& key) {
        answers.push_back({key});
        answered.push_back(false);
        ++open;
    }

    std::vector<wire::KillAnswer> answers{};
    std::vector<bool> answered{};
    std::size_t open = 0;
    std::optional<Error> failure{};
    net::Notifier done;

    // The first answer to an order counts.
    void answer(std::size_t index, wire::KillOutcome outcome) {
        if (answered[index]) return;
        answered[index] = true;
        answers[index].outcome = outcome;
        --open;
        if (open == 0) done.notify_all();
    }
};

KillFlow::KillFlow(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                   Ledger& ledger, Keeper& keeper, AgentControl& control, StatusFlow& status,
                   LeaseFlow& leases, RunFiles& files)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      keeper_(keeper),
      control_(control),
      status_(status),
      leases_(leases),
      files_(files),
      executor_(executor),
      tasks_(executor, logger_) {}

asio::awaitable<void> KillFlow::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

asio::awaitable<Result<std::vector<wire::KillAnswer>>> KillFlow::kill(
    std::vector<wire::KillOrder> orders) {
    const auto batch = std::make_shared<Batch>(executor_);
    for (const wire::KillOrder& order : orders) batch->add(order.key);
    counters_.orders += orders.size();
    Records out;
    std::vector<std::pair<std::size_t, InstanceId>> told;
    std::vector<std::pair<std::size_t, InstanceId>> asked;
    for (std::size_t index = 0; index < orders.size(); ++index) {
        const wire::KillOrder& order = orders[index];
        const bool fence = order.mode == wire::KillMode::fence;
        const RunOwner owner{order.owner.shard, order.owner.term};
        const RunKey key = run_key(order.key);
        const KillDecision decision =
            ledger_.core().kill(clock_.now(), owner, key, fence, order.instance, out);
        switch (decision.verdict) {
        case KillVerdict::stale: batch->answer(index, wire::KillOutcome::stale); break;
        case KillVerdict::ended: batch->answer(index, wire::KillOutcome::ended); break;
        case KillVerdict::fenced:
            ++counters_.fences;
            stop_taking(key);
            batch->answer(index, wire::KillOutcome::fenced);
            break;
        case KillVerdict::forward: told.emplace_back(index, decision.instance); break;
        case KillVerdict::ask:
        case KillVerdict::lost: asked.emplace_back(index, order.instance); break;
        }
    }
    const Ledger::Ticket ticket = ledger_.stage(std::move(out));
    // The orders go out now: a process that dies a little early harms nobody, a late one may.
    for (auto& [index, instance] : told)
        tasks_.start("kill", forward(batch, index, instance, std::move(orders[index])));
    for (auto& [index, instance] : asked)
        tasks_.start("kill", forward_leased(batch, index, instance, std::move(orders[index])));
    auto durable = co_await ledger_.durable(ticket);
    if (!durable) co_return durable.error();
    ledger_.changed().notify_all();
    while (batch->open > 0 && !tasks_.cancelled()) co_await batch->done.wait();
    if (batch->failure) co_return *batch->failure;
    // What settle() recorded.
    durable = co_await ledger_.durable();
    if (!durable) co_return durable.error();
    co_return batch->answers;
}

// A take under way may be inside the user's own load: its process must go, unless others wait for
// it too.
void KillFlow::stop_taking(const RunKey& key) {
    const Run* run = ledger_.core().run(key);
    if (run == nullptr || run->state != RunState::taking) return;
    const InstanceId id = run->instance;
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr || instance->loaded || instance->runs.size() > 1) return;
    if (ledger_.core().begin_destroy(id)) keeper_.destroy(id);
}

asio::awaitable<void> KillFlow::forward(std::shared_ptr<Batch> batch, std::size_t index,
                                        InstanceId instance, wire::KillOrder order) {
    // However this ends, whoever asked is told.
    const AtExit end([&batch, index] { batch->answer(index, wire::KillOutcome::stopping); });
    const RunKey key = run_key(order.key);
    Duration pause = kRetryFirst;
    while (true) {
        const Instance* target = ledger_.core().instance(instance);
        const Run* run = ledger_.core().run(key);
        const bool over = run == nullptr || run->state == RunState::ended;
        if (over || target == nullptr || !target->process) {
            batch->answer(index, wire::KillOutcome::ended);
            co_return;
        }
        const InstanceProcess process = *target->process;
        auto outcome = co_await control_.kill(process, order);
        if (outcome) {
            const wire::KillOutcome settled = co_await settle(key, *outcome);
            batch->answer(index, settled);
            co_return;
        }
        logger_.warning("kill_not_taken", {{"id", key.invocation.text},
                                           {"instance", instance.text},
                                           {"reason", outcome.error().message}});
        batch->answer(index, wire::KillOutcome::stopping);
        ++counters_.retries;
        co_await clock_.wait_until(clock_.now() + pause);
        pause = std::min(pause * 2, kRetryMax);
    }
}

// Answered only with what the runtime agent of the leased instance has said.
asio::awaitable<void> KillFlow::forward_leased(std::shared_ptr<Batch> batch, std::size_t index,
                                               InstanceId instance, wire::KillOrder order) {
    Result<wire::KillOutcome> outcome =
        make_error(Errc::unavailable, "the kill was given up", "instance-silent");
    const AtExit end([&batch, &outcome, index] {
        if (!outcome) batch->failure = outcome.error();
        batch->answer(index, outcome ? *outcome : wire::KillOutcome::stopping);
    });
    outcome = co_await leases_.kill(instance, std::move(order));
    if (outcome && *outcome == wire::KillOutcome::fenced) ++counters_.fences;
}

// The runtime agent swears that it never started it and never will: so do we, durably.
asio::awaitable<wire::KillOutcome> KillFlow::settle(RunKey key, wire::KillOutcome outcome) {
    if (outcome != wire::KillOutcome::fenced) co_return outcome;
    ++counters_.fences;
    Records out;
    ledger_.core().lapse(clock_.now(), key, out);
    const Ledger::Ticket ticket = ledger_.stage(std::move(out));
    ledger_.drop(key);
    status_.retire();
    (void)co_await ledger_.durable(ticket);
    co_return outcome;
}

std::size_t KillFlow::ack(const std::vector<wire::Ack>& acks) {
    std::size_t known = 0;
    Records out;
    for (const wire::Ack& ack : acks) {
        if (!ledger_.core().obey({ack.owner.shard, ack.owner.term}, out)) continue;
        const RunKey key = run_key(ack.key);
        if (!ledger_.core().ack(clock_.now(), key, out)) continue;
        ++known;
        ledger_.drop(key);
        tasks_.start("remove_result", files_.remove_result(ack.key));
    }
    counters_.acks += known;
    ledger_.stage(std::move(out));
    return known;
}

asio::awaitable<Result<void>> KillFlow::release(wire::Owner owner, wire::AttemptKey key) {
    Records out;
    const bool obeyed = ledger_.core().obey({owner.shard, owner.term}, out);
    ledger_.stage(std::move(out));
    if (!obeyed)
        co_return make_error(Errc::stale, "a newer owner of this shard has spoken to this host",
                             "stale-owner");
    const RunKey name = run_key(key);
    const Run* run = ledger_.core().run(name);
    if (run == nullptr) co_return make_error(Errc::not_found, "no such take on this host");
    if (run->state != RunState::assigned)
        co_return make_error(Errc::conflict, "this attempt has started", "started");
    // The runtime agent must not start it any more either.
    std::vector<wire::KillOrder> orders(1);
    orders[0].owner = owner;
    orders[0].key = key;
    orders[0].token = run->token;
    orders[0].mode = wire::KillMode::fence;
    auto answers = co_await kill(std::move(orders));
    if (!answers) co_return answers.error();
    if (answers->front().outcome != wire::KillOutcome::fenced)
        co_return make_error(Errc::conflict, "this attempt has started", "started");
    co_return Result<void>{};
}

void KillFlow::stop_for_host(const std::vector<RunKey>& keys, Duration grace,
                             const std::string& reason) {
    const auto batch = std::make_shared<Batch>(executor_);
    for (const RunKey& key : keys) {
        const Run* run = ledger_.core().run(key);
        if (run == nullptr) continue;
        if (run->state == RunState::taking) {
            stop_taking(key);
            continue;
        }
        wire::KillOrder order;
        order.key = wire_key(key);
        order.token = run->token;
        order.mode = wire::KillMode::drain;
        order.grace_ms = to_ms(grace);
        order.reason = reason;
        const std::size_t index = batch->answers.size();
        batch->add(order.key);
        tasks_.start("stop_for_host", forward(batch, index, run->instance, std::move(order)));
    }
}

void KillFlow::lapse(const RunKey& key) { tasks_.start("lapse", look_then_fence(key)); }

// Its status first: a start whose news is on the way must not be fenced.
asio::awaitable<void> KillFlow::look_then_fence(RunKey key) {
    Duration pause = kRetryFirst;
    while (true) {
        const Run* run = ledger_.core().run(key);
        if (run == nullptr || run->state != RunState::assigned) co_return;
        const InstanceId id = run->instance;
        const Instance* instance = ledger_.core().instance(id);
        if (instance == nullptr || !instance->process) co_return;
        const InstanceProcess process = *instance->process;
        wire::KillOrder order;
        order.key = wire_key(key);
        order.token = run->token;
        order.mode = wire::KillMode::fence;
        auto status = co_await control_.status(process);
        if (status) {
            (void)co_await status_.heard(id, std::move(*status));
            run = ledger_.core().run(key);
            if (run == nullptr || run->state != RunState::assigned) co_return;
            auto outcome = co_await control_.kill(process, order);
            if (outcome) {
                ++counters_.lapses;
                logger_.info("take_lapsed",
                             {{"id", key.invocation.text}, {"attempt", key.attempt}});
                (void)co_await settle(key, *outcome);
                co_return;
            }
        }
        co_await clock_.wait_until(clock_.now() + pause);
        pause = std::min(pause * 2, kRetryMax);
    }
}

}  // namespace longhaul::host_agent
