// The ports of a real machine on one loop, in a folder of their own.
#pragma once

#include "longhaul/blob/directory_blob_store.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/local_bus.hpp"
#include "longhaul/system/random.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/temp_folder.hpp"

namespace longhaul::host_agent {

struct MachinePorts {
    test::TempFolder folder;
    boost::asio::io_context io{1};
    system::SystemClock clock;
    system::SystemRandom random;
    system::PosixDisk disk;
    system::ThreadWorkers workers{2};
    net::HttpPeer peer{io.get_executor(), {.secret = "cluster"}};
    system::LocalBus bus{io.get_executor()};
    blob::DirectoryBlobStore blobs{disk, workers, {folder / "blobs"}};
};

}  // namespace longhaul::host_agent
