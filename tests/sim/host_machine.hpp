// A host that runs the production code: a disk, runtime agents, and the processes of its host
// agent, one after another.
#pragma once

#include "tests/sim/host_life.hpp"
#include "tests/sim/sim_host.hpp"

#include <memory>

namespace longhaul::sim {

// What it shares with the rest of the World.
struct Neighbourhood {
    boost::asio::any_io_executor executor;
    test::FakeClock& clock;
    test::FakePeer& peer;
    net::TaskGroup& wires;
    const Pace& pace;
    Notebook& notebook;
    Witness& witness;
    const std::string status_service;
};

class HostMachine final : public SimHost {
public:
    HostMachine(std::string name, const Neighbourhood& around, std::uint64_t seed,
                const HostBehaviour& behaviour);
    ~HostMachine() override;

    [[nodiscard]] const std::string& name() const override { return site_.name; }
    void begin() override;
    boost::asio::awaitable<void> finish() override;
    void heal() override;
    void look() override;

    void restart(Duration down) override;
    void die_at(std::uint64_t nth) override;
    void fail_disk(std::uint64_t changes) override;
    void reboot(Duration down) override;
    void cut(bool on) override;
    void deafen(Duration span) override;
    void drain(bool on) override;
    void confuse(test::FakeBus& bus) override;
    void lose_instance() override;

    [[nodiscard]] std::uint64_t drains() const override { return drains_; }
    [[nodiscard]] bool tells_digests() const override { return behaviour_.digests; }
    [[nodiscard]] std::size_t kept() const override;
    [[nodiscard]] bool settled_since(TimePoint when) const override;
    [[nodiscard]] std::vector<Fact> facts() const override;

private:
    [[nodiscard]] bool is_up() const { return life_ && !is_changing_; }
    void go_down(Duration down, bool by_power);
    void take_away(bool by_power);
    boost::asio::awaitable<void> die();
    // From one life to the next.
    boost::asio::awaitable<void> change();
    boost::asio::awaitable<bool> start_life();
    void change_drain(bool on);

    const Neighbourhood around_;
    const HostBehaviour behaviour_;
    test::SeededRandom random_;
    test::MemoryDisk disk_;
    net::TaskGroup tasks_;
    AgentSite agents_;
    SimMachine machine_;
    HostSite site_;
    std::unique_ptr<HostLife> life_;

    net::Notifier changed_;
    bool is_changing_ = false;
    bool is_dying_ = false;
    bool is_finishing_ = false;
    TimePoint up_at_{};
    std::uint64_t lives_ = 0;
    std::uint64_t drains_ = 0;
};

}  // namespace longhaul::sim
