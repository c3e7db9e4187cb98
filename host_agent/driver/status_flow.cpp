#include "host_agent/driver/status_flow.hpp"

#include "longhaul/crypto/equal.hpp"
#include "longhaul/wire/log_line.hpp"

#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

StatusFlow::StatusFlow(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                       Ledger& ledger, Keeper& keeper, RunFiles& files, FileWatch& log_watch)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      keeper_(keeper),
      files_(files),
      log_watch_(log_watch),
      tasks_(executor, logger_) {}

asio::awaitable<void> StatusFlow::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

bool StatusFlow::is_secret_of(const InstanceId& id, std::string_view secret) const {
    const Instance* instance = ledger_.core().instance(id);
    return instance != nullptr && instance->process &&
           crypto::equal_constant_time(instance->process->secret, secret);
}

asio::awaitable<Result<wire::InstanceStatusAnswer>> StatusFlow::heard(InstanceId from,
                                                                      wire::InstanceStatus status) {
    ++counters_.messages;
    HostCore& core = ledger_.core();
    if (core.instance(from) == nullptr)
        co_return make_error(Errc::gone, "no instance " + from.text + " on this host");
    core.found(from);
    keeper_.heard(
        from, AgentReport{status.ready, status.state, status.data_address, status.retry_on_lost});
    const bool worn = status.state == "broken";
    const bool is_shared = core.instance(from)->places > 1;
    Records out;
    if (worn && is_shared) core.broken(from, out);

    wire::InstanceStatusAnswer answer;
    bool news = false;
    bool adopted = false;
    for (wire::StatusEntry& entry : status.entries) {
        const RunKey key = run_key(entry.key);
        entry.instance = from;
        entry.incarnation = status.incarnation;
        adopted = adopt(from, entry, status.data_address) || adopted;
        if (entry.rank == wire::Rank::ended) {
            const bool stopped = entry.stop_cause != StopCause::none || entry.sigkill_sent ||
                                 entry.outcome == AttemptOutcome::lost;
            // A run that returned when it was told to leaves a shared one as it was.
            const bool usable = !worn && (is_shared || !stopped);
            const wire::AttemptKey name = entry.key;
            // What it opened itself to is for the time after the newest of its runs.
            const bool is_newest = &entry == &status.entries.back();
            const auto offer = usable && is_newest ? status.offer : std::nullopt;
            auto kept = co_await take_end(from, std::move(entry), usable, offer);
            if (!kept) co_return kept.error();
            if (*kept) answer.kept.push_back(name);
            continue;
        }
        if (!core.observe(key, from, {static_cast<std::uint8_t>(entry.rank), entry.version}))
            continue;
        ledger_.keep(key, std::move(entry));
        news = true;
    }
    if (worn) core.broken(from, out);
    ledger_.stage(std::move(out));
    retire();
    if (adopted) {
        auto durable = co_await ledger_.durable();
        if (!durable) co_return durable.error();
    }
    if (news) ledger_.changed().notify_all();
    co_return answer;
}

// A run that started under a lease: the first that is heard of it.
bool StatusFlow::adopt(const InstanceId& from, const wire::StatusEntry& entry,
                       const std::string& data_address) {
    Records out;
    const bool is_new = ledger_.core().adopt(clock_.now(), run_key(entry.key), entry.token, from,
                                             data_address, out);
    if (is_new) ++counters_.leases_used;
    ledger_.stage(std::move(out));
    return is_new;
}

// Whether the runtime agent may forget it.
asio::awaitable<Result<bool>> StatusFlow::take_end(InstanceId from, wire::StatusEntry entry,
                                                   bool usable,
                                                   std::optional<wire::InstanceOffer> offer) {
    const RunKey key = run_key(entry.key);
    const auto is_news = [this, &key, &from] {
        const Run* run = ledger_.core().run(key);
        return run != nullptr && run->instance == from && run->state != RunState::taking &&
               run->state != RunState::ended;
    };
    if (is_news() && entry.result && !entry.result->is_inline) {
        const wire::AttemptKey name = entry.key;
        auto secured = co_await files_.secure_result(name, entry.result->size);
        if (!secured) {
            ++counters_.results_lost;
            logger_.error("result_lost",
                          {{"id", key.invocation.text}, {"reason", secured.error().message}});
            entry.result.reset();
            entry.outcome = AttemptOutcome::failed;
            entry.reason = FailureReason::result_lost;
            entry.message = secured.error().message;
        }
    }
    // Somebody else may have brought the same end meanwhile.
    if (is_news()) {
        ++counters_.ends;
        record_end(key, std::move(entry), usable);
        // The end and the lease are one step, one batch and one report.
        if (offer) record_lease(from, key, *offer);
    }
    auto done = co_await ledger_.durable();
    if (!done) co_return done.error();
    ledger_.changed().notify_all();
    log_watch_.poke(wire::log_file_name(wire_key(key)));
    co_return true;
}

// What the instance opened itself to goes to the owner of the run that ended, unless that is no
// longer the one whom it has in mind.
void StatusFlow::record_lease(const InstanceId& id, const RunKey& after,
                              const wire::InstanceOffer& offer) {
    HostCore& core = ledger_.core();
    const std::optional<RunOwner> lessee = core.lessee(after);
    if (!leasing_ || !lessee) return;
    if (lessee->shard != offer.owner.shard || lessee->term != offer.owner.term) return;
    const AgentReport* report = keeper_.report_of(id);
    if (report == nullptr) return;
    const Lease lease{*lessee, offer.run_token, clock_.now()};
    Records out;
    if (core.lease(clock_.now(), after, lease, report->data_address, out))
        ++counters_.leases_offered;
    ledger_.stage(std::move(out));
}

Ledger::Ticket StatusFlow::record_end(const RunKey& key, wire::StatusEntry entry, bool usable) {
    const StatusStamp stamp{kRankEnded, entry.version};
    std::string text = wire::to_json(entry).dump();
    ledger_.keep(key, std::move(entry));
    Records out;
    (void)ledger_.core().ended(clock_.now(), key, stamp, std::move(text), usable, out);
    return ledger_.stage(std::move(out));
}

void StatusFlow::instance_dead(const InstanceId& id) {
    HostCore& core = ledger_.core();
    Records out;
    const std::set<RunKey> keys = core.dead(id, out);
    ledger_.stage(std::move(out));
    for (const RunKey& key : keys) {
        const Run* run = core.run(key);
        // A take still under way sees for itself that its instance is gone.
        const bool is_on = run != nullptr && run->state != RunState::taking;
        if (is_on && run->state != RunState::ended) end_as_lost(key, id);
    }
}

void StatusFlow::lost_with_lease(const RunKey& key, const Token& token, const InstanceId& id) {
    Records out;
    const bool is_new = ledger_.core().adopt_lost(clock_.now(), key, token, id, out);
    ledger_.stage(std::move(out));
    if (is_new) end_as_lost(key, id);
}

void StatusFlow::end_as_lost(const RunKey& key, const InstanceId& id) {
    ++counters_.lost;
    wire::StatusEntry entry = ledger_.entry(key);
    entry.rank = wire::Rank::ended;
    entry.version += 1;
    entry.outcome = AttemptOutcome::lost;
    entry.reason = FailureReason::lost;
    entry.message =
        "the runtime agent " + id.text + " is gone: no process has its pid and start time any more";
    entry.ended_ms_ago = 0;
    const Ledger::Ticket ticket = record_end(key, std::move(entry), false);
    tasks_.start("announce", announce_when_durable(ticket));
}

asio::awaitable<void> StatusFlow::announce_when_durable(Ledger::Ticket ticket) {
    const auto durable = co_await ledger_.durable(ticket);
    if (durable) ledger_.changed().notify_all();
}

void StatusFlow::retire() {
    for (const InstanceId& id : ledger_.core().retire(clock_.now())) keeper_.destroy(id);
}

}  // namespace longhaul::host_agent
