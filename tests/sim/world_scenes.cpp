// What seldom meets by chance, and is staged for that.
#include "tests/sim/world.hpp"

namespace longhaul::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

void World::play_scene() {
    switch (random_.below(5)) {
    case 0: kill_while_a_cancel_is_told(); break;
    case 1: stop_out_of_reach(); break;
    case 2: lose_starts(); break;
    case 3: submit_many(); break;
    default: die_as_it_starts();
    }
}

// Mostly one that would go on for long.
std::optional<World::Running> World::any_running() {
    if (!lives_.back()->serves()) return std::nullopt;
    std::vector<Running> all;
    std::vector<Running> lasting;
    lives_.back()->gateway().scheduler().for_each([&](const Invocation& invocation) {
        if (invocation.state != State::running) return;
        const Running running{invocation.id, invocation.current()->host};
        all.push_back(running);
        if (invocation.function->name.text == "long") lasting.push_back(running);
    });
    const std::vector<Running>& from = lasting.empty() || random_.chance(0.2) ? all : lasting;
    if (from.empty()) return std::nullopt;
    return from[random_.below(from.size())];
}

SimHost* World::host_named(const HostId& id) {
    for (const auto& host : hosts_)
        if (host->name() == id.text) return host.get();
    return nullptr;
}

// The network is slow, and the kill comes before the host has answered the cancel.
void World::kill_while_a_cancel_is_told() {
    const auto running = any_running();
    if (!running) return;
    notebook_.saw("kills while a cancel is told");
    test::PeerFaults slow;
    slow.delay_max = milliseconds(400);
    peer_.set_faults(slow);
    const Duration patience = random_.up_to(milliseconds(300));
    client("stops", [&](auto& gateway) {
        return clients_.cancel_then_kill(gateway, running->id, patience);
    });
    pass(seconds(2));
    if (random_.chance(0.7)) calm();
}

// Its run goes on, and the host is given up.
void World::stop_out_of_reach() {
    const auto running = any_running();
    SimHost* host = running ? host_named(running->host) : nullptr;
    if (!host) return;
    notebook_.saw("stops out of reach");
    host->cut(true);
    client("stop",
           [&](auto& gateway) { return clients_.stop(gateway, running->id, StopCause::cancel); });
    pass(seconds(20) + random_.up_to(seconds(60)));
}

// More than may run at once: every limit binds, and lines are long.
void World::submit_many() {
    notebook_.saw("many submits at once");
    for (int left = 14; left > 0; --left) submit();
    pass(seconds(1) + random_.up_to(seconds(3)));
}

// Leases are open, and what is sent under them is lost, or finds nobody.
void World::lose_starts() {
    notebook_.saw("starts among losses");
    test::PeerFaults lossy;
    lossy.lose_request = 0.4;
    lossy.delay_max = milliseconds(100);
    peer_.set_faults(lossy);
    for (int left = 6; left > 0; --left) {
        if (random_.chance(0.4)) hosts_[random_.below(hosts_.size())]->lose_instance();
        submit();
        pass(random_.up_to(milliseconds(500)));
    }
}

// The next life tries again what this one may have started, and cannot reach who knows.
void World::die_as_it_starts() {
    submit();
    pass(random_.up_to(milliseconds(400)));
    crash_gateway(random_.chance(0.5));
    notebook_.saw("deaths at a start, and hosts that are deaf then");
    for (const auto& host : hosts_)
        if (random_.chance(0.5)) host->deafen(random_.up_to(seconds(5)));
}

}  // namespace longhaul::sim
