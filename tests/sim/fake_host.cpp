#include "tests/sim/fake_host.hpp"

#include "longhaul/crypto/sha256.hpp"

#include <algorithm>

namespace longhaul::sim {
namespace {

constexpr std::size_t kInlineMax = 8 * 1024;
constexpr Duration kLongTimeout = std::chrono::minutes(1);  // a function that needs so much may

}  // namespace

FakeHost::FakeHost(std::string name, test::FakeClock& clock, test::FakePeer& peer,
                   StatusHouse& status, Notebook& notebook, Witness& witness, std::uint64_t seed,
                   HostBehaviour behaviour)
    : name_(std::move(name)),
      clock_(clock),
      peer_(peer),
      status_(status),
      notebook_(notebook),
      witness_(witness),
      random_(seed),
      behaviour_(behaviour) {}

void FakeHost::begin() {
    up_ = true;
    serve();
    announce_again();
}

void FakeHost::serve() {
    peer_.serve(name_, [this](port::PeerRequest request) { return agent(std::move(request)); });
    if (!std::exchange(machine_up_, true))
        peer_.serve(name_ + "-run",
                    [this](port::PeerRequest request) { return start(std::move(request)); });
}

void FakeHost::restart(Duration down) {
    if (!up_) return;
    notebook_.trace("host " + name_ + ": agent restarts");
    notebook_.saw("agent restarts");
    if (busy() > 0) notebook_.saw("agent restarts with live work");
    for (auto& [key, what] : runs_) what.found = false;
    go_down(down);
}

void FakeHost::reboot(Duration down) {
    if (!up_) return;
    notebook_.trace("host " + name_ + ": reboots");
    notebook_.saw("reboots");
    machine_up_ = false;
    ++boots_;
    peer_.remove(name_ + "-run");
    go_down(down);
    for (const auto& [instance, open] : leases_) lost_leases_.insert(instance);
    leases_.clear();
    std::erase_if(runs_, [this](const auto& item) {
        if (item.second.heard) return false;
        notebook_.run_forgotten(item.first);
        lost_leases_.insert(item.second.instance);
        return true;
    });
    for (auto& [key, what] : runs_) {
        what.found = false;
        if (what.stage == Stage::ended) continue;
        if (what.stage == Stage::running) notebook_.saw("runs lost by a reboot");
        end(key, what, AttemptOutcome::lost, false);
    }
}

void FakeHost::go_down(Duration down) {
    up_ = false;
    peer_.remove(name_);
    ++epoch_;
    seq_ = sent_seq_ = 0;
    reporting_ = false;
    digest_at_ = {};
    for (auto& [key, what] : runs_) what.seq = 0;
    complete_ = false;
    clock_.call_at(clock_.now() + down, [this, life = ++life_] { come_up(life); });
}

void FakeHost::come_up(std::uint64_t life) {
    if (life != life_ || up_) return;
    notebook_.trace("host " + name_ + ": up, epoch " + std::to_string(epoch_));
    up_ = true;
    serve();
    send_report();
    const Duration search = random_.up_to(std::chrono::seconds(3));
    clock_.call_at(clock_.now() + search, [this, life] { all_found(life); });
}

void FakeHost::all_found(std::uint64_t life) {
    if (life != life_) return;
    complete_ = true;
    settled_at_ = clock_.now();
    for (auto& [key, what] : runs_) what.found = what.heard = true;
    for (auto& [key, what] : runs_) publish(key);
}

// A death in the midst of what it does is a restart here: it does all at once.
void FakeHost::die_at(std::uint64_t nth) {
    restart(std::chrono::milliseconds(static_cast<std::int64_t>(nth)));
}

void FakeHost::fail_disk(std::uint64_t changes) { die_at(changes); }

boost::asio::awaitable<void> FakeHost::finish() { co_return; }

void FakeHost::cut(bool on) {
    if (on == cut_) return;
    notebook_.trace("host " + name_ + (on ? ": cut off" : ": connected again"));
    cut_ = on;
    peer_.set_cut(name_, on);
    peer_.set_cut(name_ + "-run", on);
    if (on) notebook_.saw("partitions");
}

void FakeHost::deafen(Duration span) {
    notebook_.trace("host " + name_ + ": deaf");
    notebook_.saw("deaf hosts");
    deaf_until_ = clock_.now() + span;
}

void FakeHost::heal() {
    cut(false);
    deaf_until_ = {};
    drain(false);
    is_tidy_ = true;
    if (!up_) come_up(life_);
}

void FakeHost::drain(bool on) {
    if (on == draining_) return;
    notebook_.trace("host " + name_ + (on ? ": drains" : ": takes work again"));
    if (on) notebook_.saw("drains");
    draining_ = on;
    ++drains_;
    send_report();
}

std::size_t FakeHost::busy() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        runs_, [](const auto& item) { return item.second.stage != Stage::ended; }));
}

// The function begins. REQUIRES it was taken and not started.
void FakeHost::run(const RunKey& key, Run& what, const std::string& body, Duration timeout) {
    notebook_.run_began(name_, key, body);
    what.stage = Stage::running;
    what.started_at = clock_.now();
    what.ignores_sigterm = random_.chance(behaviour_.ignores_sigterm);
    what.result = "result of " + body;
    if (random_.chance(0.2)) what.result.resize(kInlineMax + random_.below(60'000), '.');
    ++what.version;
    const Duration most = timeout < kLongTimeout ? behaviour_.run_max : timeout;
    const Duration takes = random_.chance(0.05)
                               ? timeout * 2  // hangs
                               : std::chrono::milliseconds(1) + random_.up_to(most);
    if (takes > timeout)
        plan_end(key, what, clock_.now() + timeout, AttemptOutcome::timed_out, false);
    else
        plan_end(key, what, clock_.now() + takes,
                 random_.chance(0.2) ? AttemptOutcome::failed : AttemptOutcome::succeeded, false);
    publish(key);
}

void FakeHost::plan_end(const RunKey& key, Run& what, TimePoint at, AttemptOutcome outcome,
                        bool sigkill) {
    what.ends_at = at;
    clock_.call_at(at, [this, key, plan = ++what.plan, outcome, sigkill] {
        const auto found = runs_.find(key);
        if (found == runs_.end() || found->second.plan != plan) return;
        if (found->second.stage == Stage::running) end(key, found->second, outcome, sigkill);
    });
}

void FakeHost::end(const RunKey& key, Run& what, AttemptOutcome outcome, bool sigkill) {
    notebook_.trace("run: " + key.first.text + "/" + std::to_string(key.second) + " on " + name_ +
                    " ends as " + std::string(to_string(outcome)));
    notebook_.run_gone(key);
    notebook_.run_ended(key, outcome);
    what.stage = Stage::ended;
    what.ended_at = clock_.now();
    ++what.version;
    wire::StatusEntry end;
    end.outcome = outcome;
    end.stop_cause = what.stop_cause;
    end.sigkill_sent = sigkill;
    end.tree_gone = true;
    if (outcome == AttemptOutcome::failed) end.exit_code = 1;
    if (outcome == AttemptOutcome::lost) end.message = "the machine was restarted";
    if (outcome == AttemptOutcome::succeeded) {
        wire::ResultReference result;
        result.size = what.result.size();
        result.content_type = "text/plain";
        result.is_inline = what.result.size() <= kInlineMax;
        if (result.is_inline)
            result.bytes = what.result;
        else
            result.sha256 = crypto::sha256_hex(what.result);
        end.result = std::move(result);
    }
    what.end = std::move(end);
    lease(key, what);
    publish(key);
    if (random_.chance(behaviour_.again)) tell_again(key);
}

// As by an agent that looks at the end anew: the first one stands.
void FakeHost::tell_again(const RunKey& key) {
    const TimePoint at = clock_.now() + random_.up_to(std::chrono::seconds(1));
    clock_.call_at(at, [this, key] {
        const auto found = runs_.find(key);
        if (found == runs_.end() || !up_) return;
        notebook_.saw("ends told again");
        ++found->second.version;
        publish(key);
    });
}

void FakeHost::stop(const RunKey& key, Run& what, StopCause cause, Duration grace) {
    if (cause > what.stop_cause && what.stop_cause != StopCause::none)
        notebook_.saw("stops that escalated");
    if (cause <= what.stop_cause) {
        notebook_.saw("stops repeated");
        return;
    }
    what.stop_cause = cause;
    ++what.version;
    const AttemptOutcome outcome = cause == StopCause::kill     ? AttemptOutcome::killed
                                   : cause == StopCause::cancel ? AttemptOutcome::cancelled
                                                                : AttemptOutcome::timed_out;
    const bool by_itself = !what.ignores_sigterm && grace.count() > 0;
    TimePoint at = clock_.now() + grace;
    if (by_itself) at = clock_.now() + random_.up_to(std::min(grace, Duration(1'500'000)));
    if (what.ends_at && *what.ends_at < at && !random_.chance(0.5)) {
        notebook_.saw("ended by itself while it was stopped");
        publish(key);
        return;  // the end that was planned comes first
    }
    plan_end(key, what, at, outcome, !by_itself);
    publish(key);
}

wire::StatusEntry FakeHost::entry_of(const RunKey& key, const Run& what) const {
    wire::StatusEntry entry = what.stage == Stage::ended ? what.end : wire::StatusEntry{};
    entry.key = wire::AttemptKey{key.first, key.second};
    entry.token = what.token;
    entry.incarnation = "agent-of-" + name_;
    entry.instance = InstanceId{what.instance};
    const auto open = leases_.find(what.instance);
    if (what.stage == Stage::ended && open != leases_.end() && open->second.after == key &&
        open->second.until > clock_.now())
        entry.lease = wire::InstanceLease{name_ + "-run", open->second.run_token,
                                          to_ms(open->second.until - clock_.now())};
    entry.version = what.version;
    switch (what.stage) {
    case Stage::taken: entry.rank = wire::Rank::dispatched; break;
    case Stage::running:
        entry.rank =
            what.stop_cause == StopCause::none ? wire::Rank::running : wire::Rank::stopping;
        break;
    case Stage::ended: entry.rank = wire::Rank::ended; break;
    }
    if (what.started_at) entry.started_ms_ago = to_ms(clock_.now() - *what.started_at);
    return entry;
}

}  // namespace longhaul::sim
