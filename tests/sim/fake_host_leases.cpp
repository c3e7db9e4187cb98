// Instances leased ahead: what their runtime agents let in, and what the agent makes of it.
#include "tests/sim/fake_host.hpp"

#include <algorithm>

namespace longhaul::sim {
namespace {

constexpr Duration kLease = std::chrono::seconds(10);
constexpr Duration kNewsTakes = std::chrono::milliseconds(1500);  // runtime agent to agent, at most

}  // namespace

// A run that ended by itself leaves an instance that may serve again.
void FakeHost::lease(const RunKey& after, const Run& what) {
    if (!behaviour_.leases || what.stop_cause != StopCause::none) return;
    const auto outcome = what.end.outcome;
    if (outcome != AttemptOutcome::succeeded && outcome != AttemptOutcome::failed) return;
    if (!up_ || !what.heard) return;  // nobody is there to give it
    notebook_.saw("leases offered");
    const std::string token = "lease-" + name_ + "-" + std::to_string(next_instance_++);
    witness_.leased(token, clock_.now() + kLease);
    leases_[what.instance] = OpenLease{token, owner_term_, after, clock_.now() + kLease};
    // Taken back some time after it lapsed.
    const TimePoint at = clock_.now() + kLease + random_.up_to(std::chrono::seconds(2));
    clock_.call_at(at, [this, instance = what.instance, token] {
        const auto open = leases_.find(instance);
        if (open != leases_.end() && open->second.run_token == token) leases_.erase(open);
    });
}

std::optional<std::string> FakeHost::leased_by(const std::string& run_token) const {
    for (const auto& [instance, open] : leases_)
        if (open.run_token == run_token) return instance;
    return std::nullopt;
}

void FakeHost::start_under_lease(const std::string& instance, const RunKey& key,
                                 const Token& token) {
    notebook_.saw("runs under a lease");
    if (!up_) notebook_.saw("runs under a lease while the agent is down");
    Run& what = runs_[key];
    what.token = token;
    what.instance = instance;
    what.run_token = leases_.at(instance).run_token;
    what.heard = false;
    what.found = up_;
    leases_.erase(instance);
    hear_later(key);
}

void FakeHost::hear_later(const RunKey& key) {
    const TimePoint at = clock_.now() + random_.up_to(kNewsTakes);
    clock_.call_at(at, [this, key] {
        const auto found = runs_.find(key);
        if (found == runs_.end() || found->second.heard || !up_) return;
        found->second.heard = true;
        found->second.found = true;
        publish(key);
    });
}

bool FakeHost::unheard(const RunKey& key) const {
    const auto found = runs_.find(key);
    return found != runs_.end() && !found->second.heard;
}

bool FakeHost::settle(const RunKey& key, const InstanceId& sent_to, bool closes) {
    const auto found = runs_.find(key);
    if (sent_to.empty() || (found != runs_.end() && found->second.heard)) return true;
    const bool runs_there = found != runs_.end() && found->second.instance == sent_to.text;
    const auto open = leases_.find(sent_to.text);
    if (!runs_there && open == leases_.end()) return true;
    if (!is_tidy_ && random_.chance(behaviour_.silent)) {
        notebook_.saw("leased instances that were silent");
        return false;
    }
    if (runs_there) {
        notebook_.saw("runs under a lease that were asked for");
        found->second.heard = true;
        found->second.found = true;
        publish(key);
    } else if (closes) {
        notebook_.saw("leases taken back");
        leases_.erase(open);
    }
    return true;
}

// It may have run there: then nobody will ever know more.
bool FakeHost::lose_with_lease(const RunKey& key, const Token& token, const InstanceId& sent_to) {
    if (!lost_leases_.contains(sent_to.text) || runs_.contains(key) || closed_.contains(key))
        return false;
    Run& what = runs_[key];
    what.token = token;
    what.instance = sent_to.text;
    end(key, what, AttemptOutcome::lost, false);
    return true;
}

void FakeHost::lose_instance() {
    if (!machine_up_) return;
    if (!leases_.empty() && random_.chance(0.5)) {
        notebook_.saw("leased instances that died");
        lost_leases_.insert(leases_.begin()->first);
        leases_.erase(leases_.begin());
        return;
    }
    // Rather one that the agent has not heard of.
    auto place = std::ranges::find_if(runs_, [](const auto& item) {
        return item.second.stage == Stage::running && !item.second.heard;
    });
    if (place == runs_.end())
        place = std::ranges::find_if(
            runs_, [](const auto& item) { return item.second.stage == Stage::running; });
    if (place == runs_.end()) return;
    if (place->second.heard) {
        end(place->first, place->second, AttemptOutcome::lost, false);
        return;
    }
    notebook_.saw("runs under a lease that died unheard");
    notebook_.run_forgotten(place->first);
    lost_leases_.insert(place->second.instance);
    runs_.erase(place);
}

}  // namespace longhaul::sim
