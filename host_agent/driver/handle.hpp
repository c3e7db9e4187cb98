// What the routes of a host agent may ask, in one place.
//
// References only: Host (host.hpp) owns all of it and outlives the servers. One executor for all.
#pragma once

#include "host_agent/driver/drain.hpp"
#include "host_agent/driver/status_query.hpp"
#include "host_agent/driver/take_flow.hpp"
#include "host_agent/store/file_source.hpp"
#include "longhaul/port/blob_store.hpp"

namespace longhaul::host_agent {

struct Handles {
    const HostId& host;
    Ledger& ledger;
    TakeFlow& takes;
    KillFlow& kills;
    LeaseFlow& leases;
    StatusFlow& status;
    Drain& drain;
    RunFiles& files;
    FileWatch& log_watch;
    port::BlobStore& blobs;
    port::Clock& clock;
    port::Disk& disk;
    port::Workers& workers;
};

}  // namespace longhaul::host_agent
