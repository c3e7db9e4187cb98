// The flows of a host agent over fakes: runtime agents that answer as they are told to, a clock
// that stands, a journal in memory. No process is started where every take finds an idle instance.
#pragma once

#include "host_agent/driver/drain.hpp"
#include "host_agent/driver/take_flow.hpp"
#include "host_agent/instances/system_processes.hpp"
#include "tests/unit/host_agent/fake_machine.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::host_agent {

struct Flows : FakeMachine {
    Flows();
    ~Flows();
    Flows(const Flows&) = delete;
    Flows& operator=(const Flows&) = delete;

    [[nodiscard]] static RunKey key(const std::string& id) { return {InvocationId{id}, 1}; }
    [[nodiscard]] static wire::TakeRequest request(const std::string& id,
                                                   std::uint32_t memory_mb = 256);
    [[nodiscard]] static std::string address_of(const InstanceId& id) { return "unix:" + id.text; }

    // An instance that has the function loaded, idle since it served `earlier`.
    InstanceId idle_instance(const std::string& earlier);
    // The same, leased to the owner of that run.
    InstanceId leased_instance(const std::string& earlier);
    // What is begun right after a Taking comes between its decision and its work.
    wire::KillAnswer kill(const std::string& id);
    void drain_at_once();
    void stop_takes();
    // Runs the loop, on virtual time.
    [[nodiscard]] bool until(const std::function<bool()>& done) {
        return test::run_until(io, clock, done, std::chrono::minutes(1));
    }

    HostId host{"h"};
    Ledger ledger;
    AgentControl control{agent, std::chrono::seconds(5)};
    SystemProcesses processes;
    Keeper keeper;
    RunFiles files;
    FileWatch log_watch{io.get_executor(), Logger{}, folder / "logs"};
    PackageCache packages;
    StatusFlow status;
    LeaseFlow leases;
    TakeFlow takes;
    KillFlow kills;
    Drain drain{clock, ledger, kills, status, host, std::chrono::seconds(1)};
    net::TaskGroup tasks{io.get_executor(), Logger{}};

private:
    InstanceId serve(const std::string& id);
    boost::asio::awaitable<bool> stop();
};

// A take under way, of its own.
class Taking {
public:
    Taking(Flows& flows, wire::TakeRequest request);

    [[nodiscard]] bool ended() const { return state_->answer.has_value(); }
    [[nodiscard]] std::string problem() const;  // "" where it was answered with an instance
    [[nodiscard]] InstanceId taken() const;

private:
    struct State {
        std::optional<Result<wire::TakeAnswer>> answer{};
    };
    static boost::asio::awaitable<void> run(TakeFlow& takes, wire::TakeRequest request,
                                            std::shared_ptr<State> state);
    std::shared_ptr<State> state_ = std::make_shared<State>();  // shared with run()
};

}  // namespace longhaul::host_agent
