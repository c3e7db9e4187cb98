// The ports of a host agent over fakes: a clock that stands, a journal in memory, runtime agents
// that answer as they are told to.
#pragma once

#include "longhaul/blob/directory_blob_store.hpp"
#include "longhaul/journal/memory_journal.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/temp_folder.hpp"

#include <set>
#include <string>
#include <vector>

namespace longhaul::host_agent {

// All runtime agents of the host, each under its control address.
class FakeAgents final : public port::Peer {
public:
    explicit FakeAgents(test::FakeClock& clock) : clock_(clock) {}

    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration limit) override;

    bool throws = false;                  // when an assignment comes
    std::set<std::string> silent{};       // addresses where nobody answers within any limit
    bool is_silent = false;               // all of them
    std::size_t asked = 0;                // calls
    std::size_t open = 0;                 // of them now
    std::size_t open_max = 0;             // at once
    std::vector<std::string> assigned{};  // invocations

private:
    test::FakeClock& clock_;
};

struct FakeMachine {
    test::FakeClock clock;
    boost::asio::io_context io{1};
    test::TempFolder folder;
    test::SeededRandom random{1};
    system::PosixDisk disk;
    system::InlineWorkers workers;
    blob::DirectoryBlobStore blobs{disk, workers, {folder / "blobs"}};
    journal::MemoryJournal journal;
    FakeAgents agent{clock};
};

}  // namespace longhaul::host_agent
