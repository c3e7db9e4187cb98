// What a host agent is given of the outside, beside its machine (instances/processes.hpp). All of
// it outlives the host agent.
#pragma once

namespace longhaul::port {
class BlobStore;
class Clock;
class Disk;
class Peer;
class Random;
class Workers;
}  // namespace longhaul::port

namespace longhaul::host_agent {

struct Ports {
    port::Clock& clock;
    port::Random& random;
    port::Disk& disk;
    port::Workers& workers;
    port::Peer& peer;  // sends the cluster's secret
    port::BlobStore& blobs;
};

}  // namespace longhaul::host_agent
