// The hosts of a World, and what happens to them, to the status service and to the network.
#include "tests/sim/fake_host.hpp"
#include "tests/sim/host_machine.hpp"
#include "tests/sim/world.hpp"

namespace longhaul::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSeldom = seconds(5);

// Half of the histories have hosts that lease instances ahead; in a third they tell no digests, so
// that what else repairs has to do it alone.
HostBehaviour behaviour(const Story& story, Duration alone_after) {
    HostBehaviour result;
    result.leases = story.seed % 2 == 0;
    result.digests = story.seed % 3 != 0;
    result.alone_after = alone_after;
    if (story.lasts.count() > 0) result.announces_every = kSeldom;
    return result;
}

}  // namespace

// In a third of the histories hosts are given up so soon that runs outlive it.
Duration World::host_grace() const { return story_.seed % 3 == 1 ? seconds(20) : seconds(60); }

// Half of them run the production code.
void World::make_hosts() {
    status_.serve(peer_);
    const HostBehaviour how = behaviour(story_, host_grace() / 2);
    const Neighbourhood around{
        io_.get_executor(), clock_, peer_, wires_, pace_, notebook_, witness_, status_.address()};
    for (const char* name : {"h1", "h2", "h3"}) {
        const std::uint64_t seed = random_.next();
        if ((story_.seed + hosts_.size()) % 2 == 0)
            hosts_.push_back(std::make_unique<HostMachine>(name, around, seed, how));
        else
            hosts_.push_back(std::make_unique<FakeHost>(name, clock_, peer_, status_, notebook_,
                                                        witness_, seed, how));
    }
}

void World::act_on_world() {
    if (random_.chance(0.12)) return calm();
    if (random_.chance(0.08)) return play_scene();
    if (random_.chance(0.1)) {
        status_.kill(random_.up_to(seconds(8)));
        return;
    }
    SimHost& host = *hosts_[random_.below(hosts_.size())];
    switch (random_.below(17)) {
    case 0:
    case 1: host.restart(random_.up_to(seconds(8))); break;
    case 2: host.reboot(random_.up_to(seconds(20))); break;
    case 3: host.cut(true); break;
    case 8: host.lose_instance(); break;
    case 9: host.drain(true); break;
    case 10: host.drain(false); break;
    case 11: host.confuse(bus_); break;
    case 12: host.deafen(random_.up_to(seconds(20))); break;
    case 4:
    case 5: host.cut(false); break;
    case 14:
    case 15: host.die_at(1 + random_.below(kOperations)); break;
    case 16: host.fail_disk(random_.below(12)); break;
    case 13: pace_.job_max = random_.chance(0.5) ? kSlowJobMax : kJobMax; break;
    default: act_on_network();
    }
}

void World::act_on_network() {
    if (random_.chance(0.3)) {
        test::PeerFaults faults;
        if (random_.chance(0.7)) {
            faults.refuse = 0.05;
            faults.lose_request = 0.05;
            faults.lose_response = 0.1;
            faults.break_off = 0.05;
            faults.delay_max = milliseconds(random_.below(800));
        }
        peer_.set_faults(faults);
        return;
    }
    test::BusFaults faults;
    if (random_.chance(0.7)) {
        faults.drop = 0.1;
        faults.duplicate = 0.1;
        faults.delayed = 0.3;
        faults.delay_max = seconds(3);
        faults.cut = random_.chance(0.05);
    }
    bus_.set_faults(faults);
    status_.set_loss(faults.drop);
}

}  // namespace longhaul::sim
