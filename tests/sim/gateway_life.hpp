// One process of the gateway: the production code over ports that can be taken away at any moment.
//
// Dying is crash(), or the operation that its Lifeline was cut at: from then on nothing more
// becomes durable and nothing more leaves (the gates see to that); the coroutines are then ended,
// which a real death does for us. Calls that have left go on without it.
#pragma once

#include "gateway/driver/handle.hpp"
#include "gateway/ledger/memory_view.hpp"
#include "longhaul/journal/file_journal.hpp"
#include "tests/sim/gates.hpp"
#include "tests/sim/witness.hpp"
#include "tests/support/fake_bus.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/memory_disk.hpp"

#include <memory>
#include <optional>

namespace longhaul::test {
class FakeEventSink;
}

namespace longhaul::sim {

// The machine that the gateway's processes run on, one after another.
struct Machine {
    boost::asio::any_io_executor executor;
    test::FakeClock& clock;
    test::FakePeer& peer;
    test::FakeBus& bus;
    test::MemoryDisk& disk;
    gateway::MemoryStore& view_store;
    test::SeededRandom& random;
    test::SeededRandom& worker_random;
    const Pace& pace;
    test::FakeEventSink& events;
    net::TaskGroup& wires;  // calls under way: they outlive who made them
    Notebook& notebook;
    Witness& witness;
};

class GatedPeer final : public port::Peer {
public:
    GatedPeer(Machine& machine, Lifeline& life) : machine_(machine), life_(life) {}
    boost::asio::awaitable<Result<port::PeerResponse>> call(std::string address,
                                                            port::PeerRequest request,
                                                            Duration limit) override;

private:
    Machine& machine_;
    Lifeline& life_;
};

class NoBlobs final : public port::BlobStore {
public:
    boost::asio::awaitable<Result<void>> put_file(Digest digest, std::string path) override;
    boost::asio::awaitable<Result<std::string>> get(Digest digest, std::uint64_t offset,
                                                    std::uint64_t length) override;
    boost::asio::awaitable<Result<std::uint64_t>> head(Digest digest) override;
    boost::asio::awaitable<Result<void>> remove(Digest digest) override;
};

class GatewayLife {
public:
    GatewayLife(Machine& machine, const gateway::GatewayLimits& limits);
    ~GatewayLife();
    GatewayLife(const GatewayLife&) = delete;
    GatewayLife& operator=(const GatewayLife&) = delete;

    boost::asio::awaitable<Result<void>> start();
    // To be called once the disk has been taken away; ends everything.
    boost::asio::awaitable<void> crash();
    // The orderly end.
    boost::asio::awaitable<void> stop();

    [[nodiscard]] gateway::Gateway& gateway() { return *gateway_; }
    [[nodiscard]] bool serves() const { return serves_; }
    [[nodiscard]] Lifeline& lifeline() { return life_; }
    [[nodiscard]] bool storage_failed() const { return storage_failed_; }
    // What clients do with this process; ended with it.
    [[nodiscard]] net::TaskGroup& clients() { return clients_; }

private:
    Machine& machine_;
    const gateway::GatewayLimits limits_;
    Lifeline life_;
    GatedPeer peer_;
    GatedDisk disk_;
    GatedSink sink_;
    SlowWorkers workers_;
    NoBlobs blobs_;
    gateway::BodyStore bodies_;
    gateway::BodyStore uploads_;
    gateway::EventCursor event_cursor_;
    gateway::EventOutlet event_outlet_;
    net::TaskGroup loops_;
    net::TaskGroup clients_;
    std::unique_ptr<journal::FileJournal> journal_;
    std::optional<WatchedJournal> watched_;
    std::unique_ptr<gateway::View> view_;
    std::optional<gateway::Gateway> gateway_;
    bool serves_ = false;
    bool storage_failed_ = false;
};

}  // namespace longhaul::sim
