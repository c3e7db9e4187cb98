#include "tests/sim/host_machine.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::sim {

namespace asio = boost::asio;

namespace {

using std::chrono::seconds;

constexpr std::uint64_t kOperations = 150;  // of a host agent, in some seconds
constexpr const char* kFolder = "host";

host_agent::Config config_of(const std::string& name, const Neighbourhood& around,
                             const HostBehaviour& behaviour) {
    host_agent::Config config;
    config.data_dir = kFolder;
    config.host_id = name;
    config.status_service = around.status_service;
    config.memory_mb = 64'000;
    config.cpu_millis = 64'000;
    config.instances_max = behaviour.instances_max;
    if (!behaviour.leases) config.instance_lease = Duration::zero();
    config.announce_interval = behaviour.announces_every;
    config.alone_after = behaviour.alone_after;
    config.drain_grace = seconds(5);
    if (!behaviour.digests) config.digest_interval = std::chrono::hours(24);
    // Small, so that there are many.
    config.report_entries_max = 3;
    config.journal_compact_records = 60;
    config.journal_segment_bytes = 64 * 1024;
    return config;
}

}  // namespace

HostMachine::HostMachine(std::string name, const Neighbourhood& around, std::uint64_t seed,
                         const HostBehaviour& behaviour)
    : around_(around),
      behaviour_(behaviour),
      random_(seed),
      disk_(seed + 1),
      tasks_(around.executor, Logger()),
      agents_{name,
              around.clock,
              around.peer,
              disk_,
              random_,
              around.notebook,
              tasks_,
              behaviour_,
              std::string(kFolder) + "/results",
              name + "-agents"},
      machine_(agents_),
      site_{name,
            around.executor,
            around.clock,
            around.peer,
            around.wires,
            disk_,
            random_,
            around.pace,
            machine_,
            agents_,
            around.notebook,
            around.witness,
            config_of(name, around, behaviour)},
      changed_(around.executor) {
    test::PeerFaults local;
    local.delay_max = std::chrono::milliseconds(5);
    around.peer.set_faults(agents_.host_socket, local);
}

HostMachine::~HostMachine() = default;

void HostMachine::begin() {
    is_changing_ = true;
    up_at_ = around_.clock.now();
    tasks_.start("begin", change());
}

asio::awaitable<void> HostMachine::finish() {
    is_finishing_ = true;
    changed_.notify_all();
    while (is_changing_) co_await changed_.wait();
    if (life_) {
        take_away(false);
        co_await life_->crash();
        life_.reset();
    }
    machine_.power_off();
    tasks_.cancel();
    co_await tasks_.join();
}

void HostMachine::heal() {
    cut(false);
    site_.deaf_until = {};
    disk_.clear_faults();
    machine_.be_tidy();
    if (life_) life_->lifeline().spare();
    changed_.notify_all();
    if (is_up()) change_drain(false);
}

void HostMachine::look() {
    if (is_up()) life_->look();
}

void HostMachine::restart(Duration down) {
    if (!is_up()) return;
    around_.notebook.trace("host " + name() + ": agent restarts");
    around_.notebook.saw("agent restarts");
    const bool runs = std::ranges::any_of(life_->core().runs(), [](const auto& item) {
        return item.second.state != host_agent::RunState::ended;
    });
    if (runs) around_.notebook.saw("agent restarts with live work");
    go_down(down, false);
}

void HostMachine::die_at(std::uint64_t nth) {
    if (is_up()) life_->lifeline().cut_at(nth);
}

void HostMachine::fail_disk(std::uint64_t changes) {
    if (is_up()) disk_.stop_after(changes);
}

void HostMachine::reboot(Duration down) {
    if (!is_up()) return;
    around_.notebook.trace("host " + name() + ": reboots");
    around_.notebook.saw("reboots");
    for (const SimAgent* agent : machine_.living())
        if (agent->instance().has_live()) around_.notebook.saw("runs lost by a reboot");
    go_down(down, true);
}

void HostMachine::cut(bool on) {
    if (on == site_.is_cut) return;
    around_.notebook.trace("host " + name() + (on ? ": cut off" : ": connected again"));
    site_.is_cut = on;
    around_.peer.set_cut(name(), on);
    machine_.cut(on);
    if (on) around_.notebook.saw("partitions");
}

void HostMachine::deafen(Duration span) {
    around_.notebook.trace("host " + name() + ": deaf");
    around_.notebook.saw("deaf hosts");
    site_.deaf_until = around_.clock.now() + span;
}

void HostMachine::drain(bool on) {
    if (!is_up() || on == (life_->core().drain() != nullptr)) return;
    around_.notebook.trace("host " + name() + (on ? ": drains" : ": takes work again"));
    if (on) around_.notebook.saw("drains");
    ++drains_;
    change_drain(on);
}

void HostMachine::change_drain(bool on) {
    std::optional<TimePoint> by;
    if (random_.chance(0.3)) by = around_.clock.now() + random_.up_to(seconds(20));
    life_->drain(on, by);
}

void HostMachine::confuse(test::FakeBus& bus) {
    if (!is_up()) return;
    const auto& runs = life_->core().runs();
    const auto place = std::ranges::find_if(
        runs, [](const auto& item) { return item.second.state == host_agent::RunState::active; });
    if (place == runs.end()) return;
    around_.notebook.saw("reports under another token");
    wire::StatusBatch batch;
    batch.host = HostId{name()};
    batch.epoch = life_->core().epoch();
    batch.last_seq = life_->core().last_seq();
    batch.entries.push_back(life_->host().ledger().entry(place->first));
    wire::StatusEntry& entry = batch.entries.back();
    entry.token = Token{"of-another-life"};
    entry.rank = wire::Rank::ended;
    entry.outcome = AttemptOutcome::succeeded;
    entry.version += 100;
    static_cast<void>(bus.publish("longhaul.v1.status.0", wire::to_json(batch).dump()));
}

void HostMachine::lose_instance() { machine_.lose_one(); }

std::size_t HostMachine::kept() const { return is_up() ? life_->core().blocking().size() : 1; }

bool HostMachine::settled_since(TimePoint when) const {
    return is_up() && life_->settled_at() && *life_->settled_at() <= when;
}

std::vector<SimHost::Fact> HostMachine::facts() const {
    std::vector<Fact> facts;
    if (!is_up()) return facts;
    for (const auto& [name, run] : life_->core().runs()) {
        const bool is_over = run.state == host_agent::RunState::ended;
        // Nobody acknowledges what was fenced.
        if (run.state == host_agent::RunState::taking || (is_over && run.fenced)) continue;
        const wire::StatusEntry entry = life_->host().ledger().entry(name);
        Fact fact;
        fact.key = {name.invocation, name.attempt};
        if (is_over) fact.ended_at = run.ended_at;
        fact.result_is_remote = entry.result && !entry.result->is_inline;
        // An escalation is no news of its own: its runtime agent knows.
        const runtime_agent_ext::Run* known = machine_.run(fact.key);
        fact.runs = !is_over && known != nullptr && known->is_live();
        if (fact.runs) fact.stop_cause = known->stop_cause;
        // The wire has one word for both.
        if (fact.stop_cause == StopCause::timeout) fact.stop_cause = StopCause::deadline;
        facts.push_back(std::move(fact));
    }
    return facts;
}

// All of a sudden: from here on nothing that the process does has an effect.
void HostMachine::take_away(bool by_power) {
    life_->cut();
    if (by_power) {
        machine_.power_off();
        disk_.cut_power();
    } else {
        disk_.kill();
    }
    disk_.clear_faults();
}

void HostMachine::go_down(Duration down, bool by_power) {
    is_changing_ = true;
    take_away(by_power);
    up_at_ = around_.clock.now() + down;
    tasks_.start("change", change());
}

asio::awaitable<void> HostMachine::die() {
    is_dying_ = false;
    if (!is_up() || is_finishing_) co_return;
    around_.notebook.trace("host " + name() + ": its agent dies");
    around_.notebook.saw("host agents that died in the midst of things");
    go_down(random_.up_to(seconds(8)), random_.chance(0.2));
}

asio::awaitable<void> HostMachine::change() {
    while (true) {
        if (life_) {
            co_await life_->crash();
            life_.reset();
        }
        while (!is_finishing_ && !agents_.is_tidy && around_.clock.now() < up_at_)
            (void)co_await changed_.wait_until(around_.clock, up_at_);
        if (is_finishing_) break;
        const bool started = co_await start_life();
        if (started) break;
        take_away(random_.chance(0.2));
        up_at_ = around_.clock.now() + random_.up_to(seconds(2));
    }
    is_changing_ = false;
    changed_.notify_all();
    if (life_ && agents_.is_tidy) change_drain(false);
}

asio::awaitable<bool> HostMachine::start_life() {
    life_ = std::make_unique<HostLife>(site_, [this] {
        if (!std::exchange(is_dying_, true)) tasks_.start("die", die());
    });
    if (++lives_ > 1 && !agents_.is_tidy && random_.chance(0.15))
        life_->lifeline().cut_at(1 + random_.below(kOperations));
    auto started = co_await life_->start();
    if (started && !life_->lifeline().is_cut()) {
        around_.notebook.trace("host " + name() + ": up, epoch " +
                               std::to_string(life_->core().epoch()));
        co_return true;
    }
    around_.notebook.saw("host agents that died while they started");
    if (!started) {
        around_.notebook.trace("host " + name() + ": could not start: " + started.error().message);
        if (started.error().code == Errc::corrupt)
            around_.notebook.violation("I12", name() + " cannot start: " + started.error().message);
    }
    co_return false;
}

}  // namespace longhaul::sim
