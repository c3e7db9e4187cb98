#include "tests/sim/world.hpp"

#include "tests/sim/policies.hpp"
#include "tests/support/run.hpp"

namespace longhaul::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kSteps = 150;
constexpr Duration kCalm = seconds(18);
constexpr Duration kLongCalm = seconds(75);
constexpr RunLimits kRunLimits{.global_max = 8, .tenant_max = 7};

gateway::GatewayLimits limits(Duration grace) {
    gateway::GatewayLimits result;
    result.scheduler.hosts.host_grace = grace;
    result.scheduler.run = kRunLimits;
    result.dispatch.result_grace = grace;
    return result;
}

boost::asio::awaitable<bool> finished(boost::asio::awaitable<void> task) {
    co_await std::move(task);
    co_return true;
}

}  // namespace

World::World(const Story& story)
    : story_(story),
      random_(story.seed),
      notebook_(clock_, story.traces),
      witness_(clock_, notebook_, kRunLimits),
      peer_(io_.get_executor(), clock_, story.seed + 1),
      bus_(io_.get_executor(), clock_, story.seed + 2),
      events_(story.seed + 5),
      disk_(story.seed + 3),
      gateway_random_(story.seed + 4),
      worker_random_(story.seed + 6),
      wires_(io_.get_executor(), Logger()),
      machine_{io_.get_executor(), clock_, peer_,   bus_,   disk_,     view_store_, gateway_random_,
               worker_random_,     pace_,  events_, wires_, notebook_, witness_},
      clients_(notebook_, witness_, clock_),
      status_(clock_, bus_, notebook_, story.seed + 5) {
    events_.set_failures(0.2);
    make_hosts();
}

World::~World() = default;

std::string World::run() {
    pace_.job_max = kJobMax;
    begin();
    const TimePoint until = clock_.now() + story_.lasts;
    while (clock_.now() < until && notebook_.wrong().empty()) act_slowly();
    for (int step = 0; step < kSteps && story_.lasts.count() == 0 && notebook_.wrong().empty();
         ++step) {
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
    for (const char* name : {"f", "g", kAgain, kAgainUnlessLost, "long", "broken"}) {
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
    result.key_max_running = 1 + static_cast<std::uint32_t>(random_.below(2));
    result.timeout = seconds(15 + random_.below(20));
    result.load_timeout = seconds(5);
    result.queue_ttl = seconds(90);
    result.cancel_grace = seconds(5);
    result.timeout_grace = seconds(3);
    result.retry = retry_of(name);
    if (name != "long") return result;
    result.max_running = 3;
    result.timeout = seconds(70 + random_.below(80));
    result.cancel_grace = seconds(30 + random_.below(40));
    return result;
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

void World::submit() {
    const bool again = next_number_ > 1 && random_.chance(0.3);
    const std::uint64_t number = again ? 1 + random_.below(next_number_ - 1) : next_number_++;
    client("submit", [&](auto& gateway) { return clients_.submit(gateway, number); });
}

// Those who had no answer from the life before.
void World::submit_again() {
    for (int left = 3; left > 0 && next_number_ > 1; --left) {
        const std::uint64_t number = recent_number();
        client("again", [&](auto& gateway) { return clients_.submit(gateway, number); });
    }
}

std::uint64_t World::recent_number() {
    return next_number_ - 1 - random_.below(std::min<std::uint64_t>(next_number_ - 1, 8));
}

// Some work, a while later anything, and then a longer while.
void World::act_slowly() {
    for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) submit();
    pass(random_.up_to(seconds(10)));
    look();
    if (random_.chance(0.05))
        restart_all();
    else
        act();
    pass(random_.up_to(seconds(90)));
    look();
}

void World::restart_all() {
    notebook_.trace("world: all is restarted");
    notebook_.saw("restarts of everything");
    status_.kill(random_.up_to(seconds(5)));
    for (const auto& host : hosts_) host->restart(random_.up_to(seconds(8)));
    crash_gateway(random_.chance(0.5));
}

void World::act() {
    const std::uint64_t what = random_.below(100);
    if (what < 35) {
        submit();
    } else if (what < 38) {
        if (next_number_ == 1) return;
        const std::uint64_t number = recent_number();
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
                return clients_.cancel_then_kill(
                    gateway, *id, random_.up_to(random_.chance(0.5) ? seconds(3) : seconds(1)));
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
    switch (random_.below(11)) {
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
    case 7: lives_.back()->lifeline().cut_at(1 + random_.below(kOperations)); break;
    case 8:
        client("limits", [&](auto& gateway) {
            const auto least = static_cast<std::uint32_t>(4 + random_.below(4));
            return clients_.put_limits(gateway, RunLimits{least + 1, least});
        });
        break;
    case 9: take_view_away(); break;
    default:
        client("pause", [&](auto& gateway) {
            return clients_.pause(gateway, FunctionName{"g"}, random_.chance(0.3));
        });
    }
}

void World::take_view_away() {
    notebook_.trace("gateway: its view cannot be written");
    notebook_.saw("views that cannot be written");
    view_store_.fail_writes(make_error(Errc::io_failed, "EIO (the view's disk)"));
    view_away_until_ = clock_.now() + random_.up_to(seconds(40));
}

// Up to some moment, or, to stop in the midst of things, up to some handler.
void World::pass_time() {
    if (random_.chance(0.05)) return pass(random_.up_to(seconds(40)));
    if (random_.chance(0.3)) {
        std::uint64_t handlers = random_.below(60);
        const Lifeline& life = lives_.back()->lifeline();
        static_cast<void>(wait_for([&] { return life.is_cut() || handlers-- == 0; }, seconds(2)));
        return;
    }
    pass(random_.up_to(milliseconds(1500)));
}

void World::pass(Duration span) {
    const TimePoint until = clock_.now() + span;
    const Lifeline& life = lives_.back()->lifeline();
    if (wait_for([&life] { return life.is_cut(); }, span)) return;
    if (clock_.now() < until) clock_.advance_to(until);
    test::settle(io_);
}

void World::look() {
    if (view_away_until_ && *view_away_until_ <= clock_.now()) {
        view_store_.fail_writes(Error{});
        view_away_until_.reset();
    }
    GatewayLife& life = *lives_.back();
    if (life.lifeline().is_cut()) {
        notebook_.saw("deaths in the midst of things");
        crash_gateway(random_.chance(0.5));
    } else if (life.storage_failed()) {
        notebook_.saw("storage failures");
        crash_gateway(true);
    }
    for (const auto& host : hosts_) host->look();
    if (!lives_.back()->serves()) return;
    const gateway::Scheduler& scheduler = lives_.back()->gateway().scheduler();
    scheduler.check_invariants();
    check_overdue(scheduler);
    check_drains(scheduler);
}

void World::calm() {
    notebook_.trace("world: is calm");
    notebook_.saw("calms");
    still();
    for (const auto& host : hosts_) {
        host->cut(false);
        host->deafen(Duration::zero());
    }
    const TimePoint since = clock_.now();
    const std::size_t life = lives_.size();
    pass(kCalm);
    look();
    if (lives_.size() != life || !lives_.back()->serves()) return;
    check_calm(since);
    if (!random_.chance(0.3)) return;
    pass(kLongCalm);
    look();
    if (lives_.size() != life) return;
    check_acknowledged(since);
}

// No more faults.
void World::still() {
    disk_.clear_faults();
    peer_.set_faults(test::PeerFaults{});
    bus_.set_faults(test::BusFaults{});
    status_.heal();
    pace_.job_max = kJobMax;
    lives_.back()->lifeline().spare();
    view_store_.fail_writes(Error{});
    view_away_until_.reset();
}

bool World::wait_for(const std::function<bool()>& done, Duration limit) {
    return test::run_until(io_, clock_, done, limit);
}

void World::finish_task(boost::asio::awaitable<void> task) {
    static_cast<void>(test::run_task(io_, clock_, finished(std::move(task))));
}

void World::start_gateway() {
    for (int tries = 0; tries < 5; ++tries) {
        lives_.push_back(std::make_unique<GatewayLife>(machine_, limits(host_grace())));
        GatewayLife& life = *lives_.back();
        if (lives_.size() > 1 && !is_healed_ && tries < 2 && random_.chance(0.15))
            life.lifeline().cut_at(1 + random_.below(kOperations));
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
            if (!is_healed_ && random_.chance(0.1)) take_view_away();
            if (random_.chance(0.5)) submit_again();
            return;
        }
        notebook_.trace("gateway: could not start: " + started.error().message);
        notebook_.saw("starts that failed");
        if (life.lifeline().is_cut()) notebook_.saw("deaths while it starts");
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
    view_away_until_.reset();
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
    is_healed_ = true;
    still();
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

void World::finish() {
    disk_.kill();
    finish_task(lives_.back()->crash());
    for (const auto& host : hosts_) finish_task(host->finish());
    wires_.cancel();
    finish_task(wires_.join());
}

}  // namespace longhaul::sim
