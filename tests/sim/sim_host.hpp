// What a World asks of one of its hosts, and does to it.
#pragma once

#include "longhaul/lifecycle/invocation.hpp"
#include "tests/sim/notebook.hpp"
#include "tests/support/fake_bus.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::sim {

struct HostBehaviour {
    std::uint32_t instances_max = 6;
    double refuses = 0.03;         // of takes, for a passing reason
    double ignores_sigterm = 0.3;  // of runs
    Duration run_max = std::chrono::seconds(20);
    bool leases = false;
    double silent = 0.3;  // of questions of the agent to a leased instance
    bool digests = true;  // it tells them
    double again = 0.1;   // of ends: told once more, under a greater version
    Duration announces_every = std::chrono::seconds(2);
    Duration alone_after = std::chrono::seconds(30);  // it reached nobody, and stops what it may
};

class SimHost {
public:
    virtual ~SimHost() = default;

    [[nodiscard]] virtual const std::string& name() const = 0;
    virtual void begin() = 0;
    // Nothing of it is left that could act.
    virtual boost::asio::awaitable<void> finish() = 0;
    // All that was done to it is over; it refuses nothing for a passing reason any more.
    virtual void heal() = 0;
    // Checks itself.
    virtual void look() = 0;

    // The agent's process ends and comes again; its runs live on.
    virtual void restart(Duration down) = 0;
    // The same, in the midst of what it does: at its n-th operation on the outside.
    virtual void die_at(std::uint64_t nth) = 0;
    // Its disk fails after so many changes.
    virtual void fail_disk(std::uint64_t changes) = 0;
    // The machine's: its runs are lost.
    virtual void reboot(Duration down) = 0;
    // Nothing passes between it and the others.
    virtual void cut(bool on) = 0;
    // Whoever calls it finds nobody, for so long; what it reports goes out.
    virtual void deafen(Duration span) = 0;
    // Says so, and refuses new runs.
    virtual void drain(bool on) = 0;
    // A batch of another life, or of a copy of this host: the same attempt under another token.
    virtual void confuse(test::FakeBus& bus) = 0;
    // A runtime agent dies: one that runs something, or one that is leased.
    virtual void lose_instance() = 0;

    // Turns that it took between draining and not.
    [[nodiscard]] virtual std::uint64_t drains() const = 0;
    [[nodiscard]] virtual bool tells_digests() const = 0;
    // Runs that nobody has acknowledged or fenced.
    [[nodiscard]] virtual std::size_t kept() const = 0;
    // Up for this long, with all its instances found.
    [[nodiscard]] virtual bool settled_since(TimePoint when) const = 0;
    // What it knows of its runs.
    struct Fact {
        RunKey key;
        bool runs = false;
        StopCause stop_cause = StopCause::none;
        std::optional<TimePoint> ended_at{};
        bool result_is_remote = false;
    };
    [[nodiscard]] virtual std::vector<Fact> facts() const = 0;
};

}  // namespace longhaul::sim
