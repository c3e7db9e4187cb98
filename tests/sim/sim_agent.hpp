// A runtime agent as a host agent and a gateway see it: the production state machine
// (runtime_agent_ext/core), driven as runtime_agent_ext/driver does, over a function that takes
// virtual time instead of a process.
//
// It outlives the host agent's processes; die() is its end. The object itself stays until the
// World ends: its coroutines and the clock's calls refer to it.
#pragma once

#include "host_agent/core/values.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "runtime_agent_ext/core/instance.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/memory_disk.hpp"

#include <deque>

namespace longhaul::net {
class TaskGroup;
}

namespace longhaul::sim {

// What the runtime agents of one machine share.
struct AgentSite {
    const std::string host;
    test::FakeClock& clock;
    test::FakePeer& peer;
    test::MemoryDisk& disk;
    test::SeededRandom& random;
    Notebook& notebook;
    net::TaskGroup& tasks;
    const HostBehaviour behaviour;
    const std::string result_folder;
    const std::string host_socket;
    bool host_is_up = false;
    bool is_tidy = false;
};

class SimAgent {
public:
    SimAgent(AgentSite& site, InstanceId id, std::string secret, std::int64_t pid);

    // Listens, and reports to its host agent, for ever.
    void begin();
    // SIGKILL: what it knew is gone, and what runs below it.
    void die();
    // Its host agent listens again.
    void reconnect() { wake_.notify_all(); }
    // Nothing passes between its data listener and the gateway.
    void cut(bool on);
    // How reliably it answers its host agent.
    void set_local_faults();

    [[nodiscard]] const InstanceId& id() const { return id_; }
    [[nodiscard]] const host_agent::InstanceProcess& process() const { return process_; }
    [[nodiscard]] bool lives() const { return !is_gone_; }
    [[nodiscard]] net::Notifier& gone() { return gone_; }
    [[nodiscard]] const runtime_agent_ext::Instance& instance() const { return instance_; }

private:
    using Response = Result<port::PeerResponse>;
    using Actions = runtime_agent_ext::Actions;

    // sim_agent.cpp: as Agent (runtime_agent_ext/driver/agent.hpp).
    void apply(const Actions& actions);
    void perform(const runtime_agent_ext::Step& step);
    [[nodiscard]] const runtime_agent_ext::Run* live() const;
    void arm_timer();
    void check_tree();
    void write_down_ends();
    [[nodiscard]] wire::InstanceStatus status() const;
    // As HostLink.
    boost::asio::awaitable<void> talk();
    boost::asio::awaitable<bool> report();
    void is_forgotten();
    void later(Duration span, void (SimAgent::*call)());

    // sim_agent_function.cpp: the function.
    void start_function();
    void say_started();
    void plan_exit(TimePoint at, bool success);
    void exit_function(bool success);
    [[nodiscard]] runtime_agent_ext::FunctionEnd end_of(bool success);
    [[nodiscard]] bool keep_result(Content& content, std::string bytes) const;
    void terminate();
    void kill_tree();
    void tree_killed();

    // sim_agent_calls.cpp: what it answers.
    boost::asio::awaitable<Response> control(port::PeerRequest request);
    boost::asio::awaitable<Response> data(port::PeerRequest request);
    [[nodiscard]] Response assign(const std::string& body);
    boost::asio::awaitable<Response> load(std::string body);
    void end_load(bool is_broken);
    [[nodiscard]] Response kill(const std::string& body);
    boost::asio::awaitable<Response> destroy();
    [[nodiscard]] Response start(const port::PeerRequest& request, std::string body);
    [[nodiscard]] bool run_token_allows(std::string_view token, std::string_view id) const;

    AgentSite& site_;
    const InstanceId id_;
    const host_agent::InstanceProcess process_;
    const std::string data_address_;

    runtime_agent_ext::Instance instance_;
    bool retry_on_lost_ = false;
    std::deque<runtime_agent_ext::Step> actions_;
    bool performing_ = false;
    std::optional<test::FakeClock::Ticket> timer_;
    net::Notifier changed_;
    net::Notifier gone_;
    bool is_gone_ = false;
    bool exit_ = false;
    std::set<runtime_agent_ext::RunKey> ended_;  // written down in the notebook

    // Of the present run's function.
    bool function_lives_ = false;
    std::string body_{};
    bool ignores_sigterm_ = false;
    std::uint64_t plan_ = 0;  // an exit that was planned before the last one does not come
    std::optional<TimePoint> exits_at_{};
    bool killing_ = false;

    // To the host agent.
    net::Notifier wake_;
    bool dirty_ = true;
    bool soon_ = false;
    TimePoint last_contact_;
    std::uint64_t offers_ = 0;
};

}  // namespace longhaul::sim
