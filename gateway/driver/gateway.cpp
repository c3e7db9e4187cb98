// The life of the gateway: its loops, and how one step of the core becomes records and effects.
#include "gateway/driver/handle.hpp"
#include "gateway/driver/host_conversion.hpp"
#include "gateway/ledger/view_rows.hpp"
#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr Duration kIdleTimer = std::chrono::hours(1);
constexpr Duration kLastEvents = std::chrono::seconds(2);  // at a stop; a start publishes the rest

bool ends(const Record& record) {
    const Change* change = change_of(record);
    return change && is_terminal(change->state);
}

// As the record says it: the core may be further on already, with what is not durable yet.
HistoryEntry entry_of(const Record& record, const Invocation& now) {
    HistoryEntry entry = rows::history_entry(record, now);
    if (const Change* change = change_of(record)) {
        entry.revision = change->revision;
        entry.state = change->state;
    } else if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        entry = rows::history_entry(record, accepted->invocation);
    }
    return entry;
}

}  // namespace

Gateway::Gateway(boost::asio::any_io_executor executor, GatewayPorts ports,
                 const GatewayLimits& limits, Logger logger,
                 GroupCommit::OnFailure on_storage_failure)
    : ports_(ports),
      limits_(limits),
      logger_(logger),
      loops_(executor, logger),
      tasks_(executor, logger),
      scheduler_(limits.scheduler, ports.random.next()),
      commits_(
          executor, ports.journal, logger,
          [this](std::vector<PositionedRecord> records) { on_durable(std::move(records)); },
          on_storage_failure),
      feeder_(executor, ports.view, ports.journal, ports.workers, ports.clock, logger,
              [this](port::Position) { on_applied(); }),
      watches_(executor),
      events_(executor),
      dispatcher_(
          tasks_, scheduler_, [this](const StepBody& body) { step(body); }, ports.peer, ports.clock,
          ports.bodies, limits.dispatch, logger),
      timers_changed_(executor) {
    feeder_.give_up_after(limits_.view_give_up_after, std::move(on_storage_failure));
    if (!ports.events) return;
    publisher_.emplace(executor, *ports.events, ports.clock, logger_, limits_.events);
    feeder_.hold_journal([this] { return publisher_->held(); });
}

boost::asio::awaitable<Result<void>> Gateway::start() {
    auto recovered = co_await recover();
    if (!recovered) co_return recovered.error();
    events_.begin_at(commits_.durable());
    loops_.start("commit", commits_.run());
    loops_.start("feed", feeder_.run());
    loops_.start("timers", run_timers());
    loops_.start("retention", run_retention());
    if (publisher_) loops_.start("events", publisher_->run());
    const port::Position begun =
        step([](Scheduler& scheduler, TimePoint now, Outcome& out) { scheduler.begin(now, out); });
    auto durable = co_await commits_.wait_durable(begun);
    if (!durable) co_return durable.error();
    for (const char* pattern : {"longhaul.v1.status.*", "longhaul.v1.hosts.*"}) {
        std::string subject = pattern;
        port::Bus::Handler handler = [this](std::string_view from, std::string_view payload) {
            take_status(from, payload);
        };
        auto subscription = ports_.bus.subscribe(std::move(subject), std::move(handler));
        if (!subscription) co_return subscription.error();
        subscriptions_.push_back(std::move(*subscription));
    }
    logger_.info("gateway_started", {{"owner_term", scheduler_.owner_term()},
                                     {"live", std::uint64_t{scheduler_.live_count()}},
                                     {"position", commits_.durable()}});
    co_return Result<void>{};
}

boost::asio::awaitable<void> Gateway::stop() {
    draining_ = true;
    stopping_ = true;
    subscriptions_.clear();
    tasks_.cancel();
    co_await tasks_.join();
    if (!commits_.failed()) {
        const port::Position last = commits_.staged();
        auto durable = co_await commits_.wait_durable(last);
        if (!durable) logger_.error("stop_without_flush", {{"why", durable.error().message}});
    }
    commits_.stop();
    feeder_.stop();
    watches_.notify_all();
    events_.wake_all();
    if (publisher_) co_await publisher_->finish(ports_.clock.now() + kLastEvents);
    // The feeder finishes what is durable; a start would replay it, so this only saves time.
    const TimePoint until = ports_.clock.now() + std::chrono::seconds(3);
    const bool applied = co_await feeder_.wait_applied(commits_.durable(), until);
    if (applied) {
        Result<void> flushed;
        std::function<void()> job = [this, &flushed] { flushed = ports_.view.flush(); };
        co_await ports_.workers.run(std::move(job));
        if (!flushed) logger_.warning("view_flush_failed", {{"why", flushed.error().message}});
    }
    loops_.cancel();
    co_await loops_.join();
}

// One step of the core: what it wants persisted is staged, what it wants done waits until that is
// durable (I8).
port::Position Gateway::step(const StepBody& body) {
    Outcome outcome;
    body(scheduler_, ports_.clock.now(), outcome);
    std::vector<Record> records = outcome.records;
    const port::Position position = commits_.stage(std::move(records));
    if (!outcome.effects.empty()) tasks_.start("settle", settle(position, std::move(outcome)));
    const auto next = scheduler_.next_deadline();
    if (next && (!timer_at_ || *next < *timer_at_)) timers_changed_.notify_all();
    return position;
}

boost::asio::awaitable<void> Gateway::settle(port::Position position, Outcome outcome) {
    if (mutant(Mutant::ack_before_durable))
        for (const Effect& effect : outcome.effects)
            if (std::holds_alternative<AckEffect>(effect)) dispatcher_.perform(effect);
    auto durable = co_await commits_.wait_durable(position);
    if (!durable) co_return;  // the program is stopping
    for (const Effect& effect : outcome.effects) {
        const auto* ack = std::get_if<AckEffect>(&effect);
        if (const auto* changed = std::get_if<ChangedEffect>(&effect))
            watches_.notify(changed->id);
        else if (ack && ack->is_forgotten)
            tasks_.start("ack_forgotten", ack_forgotten(*ack));
        else
            dispatcher_.perform(effect);
    }
}

// What the core does not know has ended, if the view says so. If the view does not know it either,
// nobody ever will: it is purged, or of another life of this gateway, whose hosts are ours now.
boost::asio::awaitable<void> Gateway::ack_forgotten(AckEffect ack) {
    Result<Invocation> found = make_error(Errc::not_found, "not asked");
    std::function<void()> job = [this, &ack, &found] { found = ports_.view.get(ack.id); };
    co_await ports_.workers.run(std::move(job));
    const bool has_ended = found && is_terminal(found->state);
    const bool is_unknown = !found && found.error().code == Errc::not_found;
    if (has_ended || is_unknown)
        dispatcher_.perform(ack);
    else
        logger_.warning("end_not_acknowledged",
                        {{"id", ack.id.text},
                         {"host", ack.host.text},
                         {"why", found ? "the view has it as live" : found.error().message}});
}

void Gateway::load_hosts(const std::vector<wire::HostAnnouncement>& hosts) {
    step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        for (const wire::HostAnnouncement& host : hosts)
            if (!scheduler.hosts().find(host.host) || !scheduler.hosts().find(host.host)->known)
                scheduler.host_news(now, to_news(host), out);
    });
}

void Gateway::on_durable(std::vector<PositionedRecord> records) {
    for (const PositionedRecord& positioned : records) {
        const InvocationId* id = invocation_of(positioned.record);
        const Invocation* invocation = id ? scheduler_.find(*id) : nullptr;
        if (publisher_) publisher_->add(positioned, invocation);
        if (!id) continue;
        if (std::holds_alternative<PurgedRecord>(positioned.record)) {
            purged_.emplace_back(positioned.position, *id);
            purged_ids_.insert(*id);
        }
        if (ends(positioned.record)) {
            ended_.emplace_back(positioned.position, *id);
            ++counters_.ends[change_of(positioned.record)->state];
        }
        if (invocation)
            events_.publish(FeedItem{positioned.position, *id, invocation->tenant,
                                     invocation->function->name,
                                     entry_of(positioned.record, *invocation)});
        watches_.notify(*id);
    }
    feeder_.feed(std::move(records));
}

Gateway::ViewReading::ViewReading(Gateway& gateway)
    : gateway_(gateway), place_(gateway.view_readings_.insert(gateway.feeder_.applied())) {}

Gateway::ViewReading::~ViewReading() {
    gateway_.view_readings_.erase(place_);
    gateway_.on_applied();
}

void Gateway::on_applied() {
    port::Position forgettable = feeder_.applied();
    if (!view_readings_.empty()) forgettable = std::min(forgettable, *view_readings_.begin());
    if (mutant(Mutant::forgotten_too_early)) forgettable = commits_.durable();
    while (!ended_.empty() && ended_.front().first <= forgettable) {
        scheduler_.forget(ended_.front().second);
        ended_.pop_front();
    }
    while (!purged_.empty() && purged_.front().first <= forgettable) {
        purged_ids_.erase(purged_.front().second);
        purged_.pop_front();
    }
    drop_freed_files();
}

boost::asio::awaitable<void> Gateway::run_timers() {
    while (!stopping_) {
        const TimePoint now = ports_.clock.now();
        const auto next = scheduler_.next_deadline();
        if (next && *next <= now) {
            step([](Scheduler& scheduler, TimePoint at, Outcome& out) { scheduler.tick(at, out); });
            // A deadline that stays due would spin here: the core promises that none does.
            const auto after = scheduler_.next_deadline();
            LH_ASSERT(!after || *after > now);
            continue;
        }
        timer_at_ = next.value_or(now + kIdleTimer);
        const TimePoint until = *timer_at_;
        co_await timers_changed_.wait_until(ports_.clock, until);
        timer_at_.reset();
    }
}

void Gateway::resync() {
    if (subscriptions_.empty()) return;  // not started yet, or stopping
    step([](Scheduler& scheduler, TimePoint now, Outcome& out) { scheduler.ask_all(now, out); });
}

void Gateway::take_status(std::string_view subject, std::string_view payload) {
    if (subject.starts_with("longhaul.v1.hosts."))
        take_host_announcement(payload);
    else
        take_status_batch(payload);
}

void Gateway::take_host_announcement(std::string_view payload) {
    const auto announcement = wire::decode<wire::HostAnnouncement>(payload);
    if (!announcement) {
        ++counters_.bad_messages;
        logger_.warning("bad_announcement", {{"why", announcement.error().message}});
        return;
    }
    step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.host_news(now, to_news(*announcement), out);
    });
}

void Gateway::take_status_batch(std::string_view payload) {
    const auto batch = wire::decode<wire::StatusBatch>(payload);
    if (!batch) {
        ++counters_.bad_messages;
        logger_.warning("bad_status_batch", {{"why", batch.error().message}});
        return;
    }
    step([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.host_batch(now, batch->host, batch->epoch, batch->prev_seq, batch->last_seq, out);
        for (const wire::StatusEntry& entry : batch->entries)
            scheduler.report(now, to_report(entry, batch->host, now), out);
    });
}

std::optional<std::string> Gateway::not_ready() const {
    if (commits_.failed()) return "the journal cannot be written";
    if (draining_) return "draining";
    if (scheduler_.hosts().all().empty()) return "no host has announced itself yet";
    return std::nullopt;
}

}  // namespace longhaul::gateway
