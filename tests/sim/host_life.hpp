// One process of a host agent: the production code (host_agent/driver/host.hpp and its routes) over
// ports that can be taken away at any moment. Dying is as that of a GatewayLife.
#pragma once

#include "host_agent/driver/host.hpp"
#include "longhaul/net/router.hpp"
#include "tests/sim/gateway_life.hpp"
#include "tests/sim/sim_processes.hpp"

#include <functional>
#include <string>

namespace longhaul::sim {

// The machine that a host agent's processes run on, one after another.
struct HostSite {
    const std::string name;  // of the host, and the address of its internal listener
    boost::asio::any_io_executor executor;
    test::FakeClock& clock;
    test::FakePeer& peer;
    net::TaskGroup& wires;
    test::MemoryDisk& disk;
    test::SeededRandom& random;
    const Pace& pace;
    SimMachine& machine;
    AgentSite& agents;
    Notebook& notebook;
    Witness& witness;
    const host_agent::Config config;
    bool is_cut = false;
    TimePoint deaf_until{};
};

class HostPeer final : public port::Peer {
public:
    HostPeer(HostSite& site, Lifeline& life) : site_(site), life_(life) {}
    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration limit) override;

private:
    HostSite& site_;
    Lifeline& life_;
};

class HostLife {
public:
    // `on_death`: it dies of itself, in the midst of something or for its storage; called from
    // within its code, once or twice.
    HostLife(HostSite& site, std::function<void()> on_death);
    ~HostLife();
    HostLife(const HostLife&) = delete;
    HostLife& operator=(const HostLife&) = delete;

    boost::asio::awaitable<Result<void>> start();
    // Nobody is answered any more, and nothing that it does has an effect.
    void cut();
    // The rest of its end. REQUIRES cut(), and the disk to have been taken away.
    boost::asio::awaitable<void> crash();

    [[nodiscard]] host_agent::Host& host() { return *host_; }
    [[nodiscard]] const host_agent::HostCore& core() { return host_->ledger().core(); }
    [[nodiscard]] Lifeline& lifeline() { return life_; }
    // When everything of its predecessors had been found.
    [[nodiscard]] std::optional<TimePoint> settled_at() const { return settled_at_; }
    void look();
    void drain(bool on, std::optional<TimePoint> by);

private:
    using Response = Result<port::PeerResponse>;
    boost::asio::awaitable<Response> ask(const net::Router& routes, port::PeerRequest request);
    boost::asio::awaitable<Response> gateway_asks(port::PeerRequest request);
    boost::asio::awaitable<void> change_drain(bool on, std::optional<TimePoint> by);

    HostSite& site_;
    Lifeline life_;
    HostPeer peer_;
    GatedDisk disk_;
    SlowWorkers workers_;
    SimProcesses processes_;
    NoBlobs blobs_;
    std::optional<host_agent::Host> host_;
    const net::Router internal_;
    const net::Router agents_;
    net::TaskGroup tasks_;
    std::optional<TimePoint> settled_at_{};
};

}  // namespace longhaul::sim
