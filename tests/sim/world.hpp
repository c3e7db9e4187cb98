// One simulated history: a gateway, its disk, a status service, three hosts (half of them are the
// production code, host_machine.hpp), clients, and a seed that decides everything that happens to
// them.
//
// After every step: I1, I2, I3, I4, I5, I10 as the Notebook sees them and I7 as the scheduler
// checks it. At the end the world heals and time passes: I6, everything has ended, no host keeps
// anything, and every event of it has been published, in order.
#pragma once

#include "tests/sim/clients.hpp"
#include "tests/sim/gateway_life.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/sim/status_house.hpp"
#include "tests/support/fake_event_sink.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <vector>

namespace longhaul::sim {

struct Story {
    std::uint64_t seed = 1;
    bool traces = false;  // to stderr
    // Of virtual time, with little happening in it; 0: some minutes, full of things.
    Duration lasts{0};
};

class World {
public:
    explicit World(const Story& story);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    static constexpr Duration kJobMax = std::chrono::milliseconds(100);
    static constexpr Duration kSlowJobMax = std::chrono::seconds(4);
    static constexpr std::uint64_t kOperations = 150;  // of a process, in some seconds

    // "" or what was violated.
    std::string run();
    [[nodiscard]] const Notebook& notebook() const { return notebook_; }

private:
    // The story.
    void begin();
    void act();
    void submit();
    void submit_again();
    [[nodiscard]] std::uint64_t recent_number();
    void act_slowly();
    void restart_all();
    void act_on_gateway();
    void take_view_away();
    void act_on_world();
    void act_on_network();
    void pass_time();
    // So much of it, or up to the death of the gateway's process.
    void pass(Duration span);
    void look();
    void check_overdue(const gateway::Scheduler& scheduler);
    // No faults for a while: what every host knows has to reach the gateway.
    void calm();
    void still();
    void check_drains(const gateway::Scheduler& scheduler);
    void check_calm(TimePoint since);
    void check_acknowledged(TimePoint since);
    void heal();
    void finish();

    // world_scenes.cpp
    struct Running {
        InvocationId id;
        HostId host;
    };
    void play_scene();
    void kill_while_a_cancel_is_told();
    void stop_out_of_reach();
    void lose_starts();
    void submit_many();
    void die_as_it_starts();
    [[nodiscard]] std::optional<Running> any_running();
    [[nodiscard]] SimHost* host_named(const HostId& id);

    // The gateway's processes.
    void make_hosts();
    [[nodiscard]] Duration host_grace() const;
    void start_gateway();
    void crash_gateway(bool by_power);
    void restart_in_order();
    void be_down();

    // Somebody calls the gateway, if it is there.
    template <class Make>
    void client(const char* name, Make make) {
        GatewayLife& life = *lives_.back();
        if (life.serves()) life.clients().start(name, make(life.gateway()));
    }
    [[nodiscard]] std::optional<InvocationId> any_told();
    [[nodiscard]] FunctionSpec spec(const std::string& name);
    bool wait_for(const std::function<bool()>& done, Duration limit);
    void check_events();
    void finish_task(boost::asio::awaitable<void> task);

    const Story story_;
    test::FakeClock clock_;
    boost::asio::io_context io_{1};
    test::SeededRandom random_;
    Notebook notebook_;
    Witness witness_;
    test::FakePeer peer_;
    test::FakeBus bus_;
    test::FakeEventSink events_;
    test::MemoryDisk disk_;
    gateway::MemoryStore view_store_;
    test::SeededRandom gateway_random_;
    test::SeededRandom worker_random_;
    Pace pace_;
    std::optional<TimePoint> view_away_until_{};
    bool is_healed_ = false;
    net::TaskGroup wires_;
    Machine machine_;
    Clients clients_;
    StatusHouse status_;
    std::vector<std::unique_ptr<SimHost>> hosts_;
    std::vector<std::unique_ptr<GatewayLife>> lives_;  // the last one is alive
    TimePoint began_at_{};                             // of the life that is there
    std::uint64_t next_number_ = 1;
    struct SeenDrain {
        std::size_t life = 0;
        std::uint64_t turn = 0;
        TimePoint since{};  // this was seen of that turn first
        TimePoint at{};     // and last
    };
    std::map<HostId, SeenDrain> seen_drains_;
};

}  // namespace longhaul::sim
