#include "tests/sim/sim_processes.hpp"

#include <algorithm>

namespace longhaul::sim {

namespace asio = boost::asio;

namespace {

constexpr double kStillborn = 0.02;  // of the processes that are started

}  // namespace

Result<host_agent::InstanceProcess> SimMachine::spawn(const host_agent::Processes::Order& order) {
    const std::int64_t pid = ++last_pid_;
    auto agent = std::make_unique<SimAgent>(site_, order.id, order.secret, pid);
    SimAgent& started = *agents_.emplace(pid, std::move(agent)).first->second;
    started.begin();
    started.cut(is_cut_);
    if (!site_.is_tidy && site_.random.chance(kStillborn)) {
        const Duration span = site_.random.up_to(std::chrono::milliseconds(400));
        site_.clock.call_at(site_.clock.now() + span, [&started] { started.die(); });
    }
    return started.process();
}

SimAgent* SimMachine::find(const host_agent::InstanceProcess& process) const {
    const auto found = agents_.find(process.process.pid);
    return found == agents_.end() ? nullptr : found->second.get();
}

std::vector<SimAgent*> SimMachine::living() const {
    std::vector<SimAgent*> living;
    for (const auto& [pid, agent] : agents_)
        if (agent->lives()) living.push_back(agent.get());
    return living;
}

const runtime_agent_ext::Run* SimMachine::run(const RunKey& key) const {
    for (const SimAgent* agent : living())
        if (const auto* run = agent->instance().find({key.first, key.second})) return run;
    return nullptr;
}

void SimMachine::power_off() {
    for (SimAgent* agent : living()) agent->die();
}

void SimMachine::cut(bool on) {
    is_cut_ = on;
    for (SimAgent* agent : living()) agent->cut(on);
}

void SimMachine::reconnect() {
    for (SimAgent* agent : living()) agent->reconnect();
}

void SimMachine::be_tidy() {
    site_.is_tidy = true;
    for (SimAgent* agent : living()) agent->set_local_faults();
}

void SimMachine::lose_one() {
    const std::vector<SimAgent*> candidates = living();
    const auto runs = [](const SimAgent* agent) { return agent->instance().has_live(); };
    const auto is_open = [](const SimAgent* agent) {
        return agent->instance().offered() != nullptr;
    };
    const bool rather_open = site_.random.chance(0.5);
    auto place = rather_open ? std::ranges::find_if(candidates, is_open)
                             : std::ranges::find_if(candidates, runs);
    if (place == candidates.end()) place = std::ranges::find_if(candidates, runs);
    if (place == candidates.end()) return;
    site_.notebook.trace("host " + site_.host + ": instance " + (*place)->id().text + " dies");
    if (is_open(*place)) site_.notebook.saw("leased instances that died");
    site_.notebook.saw("instances that died");
    (*place)->die();
}

Result<host_agent::Processes::Opening> SimProcesses::open(const IsKnown& is_known) {
    Opening opening;
    for (const SimAgent* agent : machine_.living())
        if (!is_known(agent->id())) opening.leftovers.push_back(agent->id());
    return opening;
}

Result<host_agent::InstanceProcess> SimProcesses::spawn(const Order& order) {
    if (!life_.holds()) return make_error(Errc::io_failed, "the process has died");
    auto spawned = machine_.spawn(order);
    static_cast<void>(life_.holds());
    return spawned;
}

bool SimProcesses::lives(const host_agent::InstanceProcess& process) {
    const SimAgent* agent = machine_.find(process);
    return agent != nullptr && agent->lives();
}

asio::awaitable<Result<void>> SimProcesses::wait_gone(host_agent::InstanceProcess process,
                                                      Duration limit) {
    SimAgent* agent = machine_.find(process);
    const TimePoint until = machine_.clock().now() + limit;
    while (agent != nullptr && agent->lives()) {
        if (machine_.clock().now() >= until)
            co_return make_error(Errc::timed_out, "the process lives on");
        (void)co_await agent->gone().wait_until(machine_.clock(), until);
    }
    co_return Result<void>{};
}

asio::awaitable<Result<void>> SimProcesses::kill(host_agent::InstanceProcess process,
                                                 Duration limit) {
    SimAgent* agent = machine_.find(process);
    if (agent != nullptr && life_.holds()) agent->die();
    static_cast<void>(life_.holds());
    auto gone = co_await wait_gone(std::move(process), limit);
    co_return gone;
}

asio::awaitable<bool> SimProcesses::sweep(InstanceId, std::uint32_t) {
    const TimePoint done = machine_.clock().now() + std::chrono::milliseconds(1);
    co_await machine_.clock().wait_until(done);
    co_return true;
}

asio::awaitable<void> SimProcesses::clean(InstanceId) { co_return; }

}  // namespace longhaul::sim
