#include "tests/sim/world.hpp"

#include "tests/sim/policies.hpp"
#include "tests/support/run.hpp"

namespace longhaul::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kSteps = 150;
constexpr Duration kTimersTake = seconds(5);
constexpr Duration kCalm = seconds(18);
constexpr Duration kLongCalm = seconds(75);
constexpr std::uint32_t kGlobalMax = 8;
constexpr Duration kHostGrace = std::chrono::minutes(1);

gateway::GatewayLimits limits() {
    gateway::GatewayLimits result;
    result.scheduler.hosts.host_grace = kHostGrace;
    result.scheduler.run.global_max = kGlobalMax;
    result.dispatch.result_grace = kHostGrace;
    return result;
}

// Half of the histories have hosts that lease instances ahead.
HostBehaviour behaviour(std::uint64_t seed) {
    HostBehaviour result;
    result.leases = seed % 2 == 0;
    return result;
}

boost::asio::awaitable<bool> finished(boost::asio::awaitable<void> task) {
    co_await std::move(task);
    co_return true;
}

}  // namespace

World::World(std::uint64_t seed, bool traces)
    : random_(seed),
      notebook_(clock_, traces),
      witness_(clock_, notebook_, kGlobalMax),
      peer_(io_.get_executor(), clock_, seed + 1),
      bus_(io_.get_executor(), clock_, seed + 2),
      events_(seed + 5),
      disk_(seed + 3),
      gateway_random_(seed + 4),
      wires_(io_.get_executor(), Logger()),
      machine_{io_.get_executor(), clock_,   peer_,   bus_,   disk_,     view_store_,
               gateway_random_,    workers_, events_, wires_, notebook_, witness_},
      clients_(notebook_, witness_, clock_),
      status_(clock_, bus_, notebook_, seed + 5) {
    events_.set_failures(0.2);
    for (const char* name : {"h1", "h2", "h3"})
        hosts_.push_back(std::make_unique<FakeHost>(name, clock_, peer_, status_, notebook_,
                                                    witness_, random_.next(), behaviour(seed)));
}

World::~World() = default;

std::string World::run() {
    begin();
    for (int step = 0; step < kSteps && notebook_.wrong().empty(); ++step) {
        act();
        pass_time();
        look();
    }
    if (notebook_.wrong().empty()) heal();
    finish();
    return notebook_.wrong();
}

void World::begin() {
    for (const auto& host : hosts_) host->begin();
    start_gateway();
    for (const char* name : {"f", "g", kAgain, kAgainUnlessLost, "broken"}) {
        FunctionSpec what = spec(name);
        gateway::Gateway& gateway = lives_.back()->gateway();
        finish_task(clients_.put_function(gateway, std::move(what)));
    }
    look();
}

FunctionSpec World::spec(const std::string& name) {
    FunctionSpec result;
    result.name = FunctionName{name};
    result.command = {"/bin/work"};
    result.max_running = 5;
    result.timeout = seconds(15 + random_.below(20));
    result.load_timeout = seconds(5);
    result.queue_ttl = seconds(90);
    result.cancel_grace = seconds(5);
    result.timeout_grace = seconds(3);
    result.retry = retry_of(name);
    return result;
}

template <class Make>
void World::client(const char* name, Make make) {
    GatewayLife& life = *lives_.back();
    if (life.serves()) life.clients().start(name, make(life.gateway()));
}

std::optional<InvocationId> World::any_told() {
    if (notebook_.told().empty()) return std::nullopt;
    auto place = notebook_.told().begin();
    std::advance(place, static_cast<std::ptrdiff_t>(random_.below(notebook_.told().size())));
    // Mostly one that has not been seen to end.
    for (int tries = 0; tries < 10 && place->second.ended && random_.chance(0.9); ++tries)
        if (++place == notebook_.told().end()) place = notebook_.told().begin();
    return place->first;
}

void World::act() {
    const std::uint64_t what = random_.below(100);
    if (what < 35) {
        const bool again = next_number_ > 1 && random_.chance(0.3);
        const std::uint64_t number = again ? 1 + random_.below(next_number_ - 1) : next_number_++;
        client("submit", [&](auto& gateway) { return clients_.submit(gateway, number); });
    } else if (what < 38) {
        const std::uint64_t number = 1 + random_.below(next_number_);
        client("misuse", [&](auto& gateway) { return clients_.misuse_key(gateway, number); });
    } else if (what < 68) {
        const auto id = any_told();
        if (!id) return;
        if (what < 50)
            client("read", [&](auto& gateway) { return clients_.read(gateway, *id); });
        else if (what < 55)
            client("wait", [&](auto& gateway) { return clients_.wait_end(gateway, *id); });
        else if (what < 58)
            client("stops", [&](auto& gateway) {
                return clients_.cancel_then_kill(gateway, *id, random_.up_to(seconds(3)));
            });
        else if (what < 60)
            client("patch", [&](auto& gateway) {
                return clients_.patch(gateway, change_of_mind(random_, *id, clock_.now()));
            });
        else if (what < 66)
            client("stop", [&](auto& gateway) {
                const auto cause = random_.chance(0.6) ? StopCause::cancel : StopCause::kill;
                return clients_.stop(gateway, *id, cause);
            });
        else
            client("all", [&](auto& gateway) { return clients_.read_all(gateway, false); });
    } else if (what < 82) {
        act_on_gateway();
    } else {
        act_on_world();
    }
}

void World::act_on_gateway() {
    switch (random_.below(8)) {
    case 0:
    case 1: crash_gateway(true); break;
    case 2:
    case 3: crash_gateway(false); break;
    case 4: restart_in_order(); break;
    case 5: disk_.stop_after(random_.below(12)); break;
    case 6: {
        FunctionSpec what = spec(random_.chance(0.5) ? "f" : "g");
        client("put",
               [&](auto& gateway) { return clients_.put_function(gateway, std::move(what)); });
        break;
    }
    default:
        client("pause", [&](auto& gateway) {
            return clients_.pause(gateway, FunctionName{"g"}, random_.chance(0.3));
        });
    }
}

void World::act_on_world() {
    if (random_.chance(0.12)) return calm();
    if (random_.chance(0.1)) {
        status_.kill(random_.up_to(seconds(8)));
        return;
    }
    FakeHost& host = *hosts_[random_.below(hosts_.size())];
    switch (random_.below(12)) {
    case 0:
    case 1: host.restart(random_.up_to(seconds(8))); break;
    case 2: host.reboot(random_.up_to(seconds(20))); break;
    case 3: host.cut(true); break;
    case 8: host.lose_instance(); break;
    case 9: host.drain(true); break;
    case 10: host.drain(false); break;
    case 11: host.confuse(bus_); break;
    case 4:
    case 5: host.cut(false); break;
    case 6: {
        test::PeerFaults faults;
        if (random_.chance(0.7)) {
            faults.refuse = 0.05;
            faults.lose_request = 0.05;
            faults.lose_response = 0.1;
            faults.break_off = 0.05;
            faults.delay_max = milliseconds(random_.below(800));
        }
        peer_.set_faults(faults);
        break;
    }
    default: {
        test::BusFaults faults;
        if (random_.chance(0.7)) {
            faults.drop = 0.1;
            faults.duplicate = 0.1;
            faults.delayed = 0.3;
            faults.delay_max = seconds(3);
            faults.cut = random_.chance(0.05);
        }
        bus_.set_faults(faults);
        status_.set_loss(faults.drop);
    }
    }
}

// Up to some moment, or, to stop in the midst of things, up to some handler.
void World::pass_time() {
    if (random_.chance(0.05)) {
        test::run_for(io_, clock_, random_.up_to(seconds(40)));
        return;
    }
    if (random_.chance(0.3)) {
        std::uint64_t handlers = random_.below(60);
        static_cast<void>(wait_for([&handlers] { return handlers-- == 0; }, seconds(2)));
        return;
    }
    test::run_for(io_, clock_, random_.up_to(milliseconds(1500)));
}

void World::look() {
    GatewayLife& life = *lives_.back();
    if (life.storage_failed()) {
        notebook_.saw("storage failures");
        crash_gateway(true);
    }
    if (!lives_.back()->serves()) return;
    const gateway::Scheduler& scheduler = lives_.back()->gateway().scheduler();
    scheduler.check_invariants();
    check_overdue(scheduler);
    check_drains(scheduler);
}

// I6, while it goes on: nothing waits beyond its clocks, no body of live work is gone.
void World::check_overdue(const gateway::Scheduler& scheduler) {
    const TimePoint before = clock_.now() - kTimersTake;
    const bool is_new = began_at_ > before;
    scheduler.for_each([this, before, is_new](const Invocation& invocation) {
        if (is_terminal(invocation.state)) return;
        const TimePoint due = std::min(invocation.deadline, invocation.queue_ttl_at);
        if (!is_new && invocation.state == State::queued && !invocation.started_at && due < before)
            notebook_.violation("I6", invocation.id.text + " waits beyond its clocks");
        if (!is_new && waits_for_time(invocation.state) && invocation.due_at < before)
            notebook_.violation("I6", invocation.id.text + " waits beyond its time");
        if (!invocation.body.file.empty() && !disk_.exists("data/bodies/" + invocation.body.file))
            notebook_.violation("I1", "the body of " + invocation.id.text + " is gone");
    });
}

// Where a host was known to drain at two looks, nothing was sent to it in between.
void World::check_drains(const gateway::Scheduler& scheduler) {
    for (const auto& host : hosts_) {
        const HostId id{host->name()};
        const gateway::Host* known = scheduler.hosts().find(id);
        if (!known || !known->news.draining) {
            seen_drains_.erase(id);
            continue;
        }
        const SeenDrain now{lives_.size(), host->drains(), clock_.now()};
        const auto [before, is_new] = seen_drains_.emplace(id, now);
        if (!is_new && before->second.life == now.life && before->second.turn == now.turn)
            for (const TimePoint at : witness_.dispatches(id))
                if (at > before->second.at)
                    notebook_.violation("drain", "work was sent to " + id.text + ", which drains");
        before->second = now;
    }
}

void World::calm() {
    notebook_.trace("world: is calm");
    notebook_.saw("calms");
    disk_.clear_faults();
    peer_.set_faults(test::PeerFaults{});
    bus_.set_faults(test::BusFaults{});
    status_.heal();
    for (const auto& host : hosts_) host->cut(false);
    const TimePoint since = clock_.now();
    const std::size_t life = lives_.size();
    test::run_for(io_, clock_, kCalm);
    look();
    if (lives_.size() != life || !lives_.back()->serves()) return;
    check_calm(since);
    if (!random_.chance(0.3)) return;
    test::run_for(io_, clock_, kLongCalm);
    look();
    if (lives_.size() != life) return;
    for (const auto& host : hosts_)
        if (host->settled_since(since))
            for (const FakeHost::Fact& fact : host->facts())
                if (fact.ended_at && *fact.ended_at < since)
                    notebook_.violation("news", "the end of " + fact.key.first.text + " on " +
                                                    host->name() + " is not acknowledged");
}

void World::check_calm(TimePoint since) {
    const gateway::Scheduler& scheduler = lives_.back()->gateway().scheduler();
    for (const auto& host : hosts_) {
        if (!host->settled_since(since)) continue;
        for (const FakeHost::Fact& fact : host->facts()) {
            const Invocation* known = scheduler.find(fact.key.first);
            if (!known || !holds_slot(known->state)) continue;
            if (known->current()->number != fact.key.second || known->current()->fenced) continue;
            const std::string name = fact.key.first.text + " on " + host->name();
            if (fact.ended_at && *fact.ended_at < since && !fact.result_is_remote)
                notebook_.violation("news", "nobody took in the end of " + name);
            if (fact.runs && known->state == State::stopping && known->stop.at < since &&
                fact.stop_cause < known->stop.cause)
                notebook_.violation("I10", "the stop was not told: " + name);
        }
    }
}

bool World::wait_for(const std::function<bool()>& done, Duration limit) {
    return test::run_until(io_, clock_, done, limit);
}

void World::finish_task(boost::asio::awaitable<void> task) {
    static_cast<void>(test::run_task(io_, clock_, finished(std::move(task))));
}

void World::start_gateway() {
    for (int tries = 0; tries < 5; ++tries) {
        lives_.push_back(std::make_unique<GatewayLife>(machine_, limits()));
        GatewayLife& life = *lives_.back();
        began_at_ = clock_.now();
        const Result<void> started = test::run_task(io_, clock_, life.start());
        if (started) {
            const std::size_t live = life.gateway().scheduler().live_count();
            notebook_.trace("gateway: started, owner term " +
                            std::to_string(life.gateway().scheduler().owner_term()) + ", " +
                            std::to_string(live) + " live");
            if (lives_.size() > 1 && live > 0) notebook_.saw("gateway restarts with live work");
            if (notebook_.live_runs() > 0 && lives_.size() > 1)
                notebook_.saw("gateway restarts while functions run");
            return;
        }
        notebook_.trace("gateway: could not start: " + started.error().message);
        notebook_.saw("starts that failed");
        if (started.error().code == Errc::corrupt)
            notebook_.violation("I12", "could not start: " + started.error().message);
        disk_.cut_power();
        finish_task(life.crash());
    }
    notebook_.violation("I1", "the gateway could not be started");
}

void World::crash_gateway(bool by_power) {
    notebook_.trace(by_power ? "gateway: power cut" : "gateway: killed");
    notebook_.saw(by_power ? "power cuts" : "kills of the gateway");
    if (by_power)
        disk_.cut_power();
    else
        disk_.kill();
    disk_.clear_faults();
    const std::size_t unflushed = view_store_.unflushed();
    finish_task(lives_.back()->crash());
    if (by_power)
        view_store_.crash(random_.below(std::min(unflushed, view_store_.unflushed()) + 1));
    be_down();
    start_gateway();
}

void World::restart_in_order() {
    notebook_.trace("gateway: stops in order");
    notebook_.saw("orderly stops");
    disk_.clear_faults();
    finish_task(lives_.back()->stop());
    disk_.kill();
    be_down();
    start_gateway();
}

void World::be_down() {
    const Duration down = random_.chance(0.1) ? Duration(seconds(90)) : random_.up_to(seconds(5));
    test::run_for(io_, clock_, down);
}

void World::heal() {
    notebook_.trace("world: heals");
    disk_.clear_faults();
    peer_.set_faults(test::PeerFaults{});
    bus_.set_faults(test::BusFaults{});
    status_.heal();
    for (const auto& host : hosts_) host->heal();
    crash_gateway(true);  // the disk may have stopped without anybody having noticed
    client("resume",
           [&](auto& gateway) { return clients_.pause(gateway, FunctionName{"g"}, false); });
    bool all_ended = false;
    for (int round = 0; round < 60 && !all_ended; ++round) {
        test::run_for(io_, clock_, seconds(15));
        look();
        finish_task(clients_.read_all(lives_.back()->gateway(), false));
        all_ended = lives_.back()->gateway().scheduler().live_count() == 0;
        for (const auto& [id, told] : notebook_.told()) all_ended = all_ended && told.ended;
    }
    if (!notebook_.wrong().empty()) return;
    for (const auto& [id, told] : notebook_.told())
        if (!told.ended)
            notebook_.violation(
                "I6", id.text + " never ended; it is " + std::string(to_string(told.state)));
    const gateway::Scheduler& scheduler = lives_.back()->gateway().scheduler();
    if (scheduler.live_count() != 0) notebook_.violation("I6", "something lives on");
    if (scheduler.running_count() != 0) notebook_.violation("I7", "slots were not given back");
    test::run_for(io_, clock_, std::chrono::minutes(2));
    if (notebook_.live_runs() != 0) notebook_.violation("I6", "a run was never stopped");
    check_events();
    finish_task(clients_.read_all(lives_.back()->gateway(), true));
    for (const auto& host : hosts_)
        if (host->kept() > 0)
            notebook_.violation("I11", host->name() + " keeps " + std::to_string(host->kept()) +
                                           " runs that nobody lets it forget");
}

void World::check_events() {
    if (!events_.wrong().empty()) notebook_.violation("events", events_.wrong());
    for (const auto& [id, told] : notebook_.told())
        if (events_.complete_to(id.text) != told.revision)
            notebook_.violation("events", id.text + " ended at revision " +
                                              std::to_string(told.revision) +
                                              ", its events are complete to " +
                                              std::to_string(events_.complete_to(id.text)));
    if (events_.taken().size() > notebook_.told().size()) notebook_.saw("events published");
}

void World::finish() {
    disk_.kill();
    finish_task(lives_.back()->crash());
    wires_.cancel();
    finish_task(wires_.join());
}

}  // namespace longhaul::sim
