// A host agent without its listeners and its machine: everything between the routes and the ports,
// wired, started and stopped in order. App (app.hpp) puts the real machine around it, the simulator
// one of its own.
//
// Runs on one executor (one thread or a strand). Owns the journal and all tasks; the ports and the
// processes outlive it.
#pragma once

#include "host_agent/config.hpp"
#include "host_agent/driver/handle.hpp"
#include "host_agent/driver/isolation.hpp"
#include "host_agent/driver/ports.hpp"
#include "host_agent/driver/recovery.hpp"
#include "host_agent/reports/reporter.hpp"
#include "longhaul/journal/file_journal.hpp"

namespace longhaul::host_agent {

class Host {
public:
    // REQUIRES config.memory_mb to be set.
    Host(boost::asio::any_io_executor executor, const Ports& ports, Processes& processes,
         const Config& config, const Logger& logger);
    ~Host();  // REQUIRES stop() has returned, or open() was never called
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    // Called once when the journal cannot be written (I12). Before open().
    void on_storage_failure(std::function<void(const Error&)> handler);

    // Reads the journal back and begins a new epoch, which is durable when this returns; opens the
    // machine. From here on the routes may ask. After an error stop() is still due.
    boost::asio::awaitable<Result<void>> open();
    // Asks the instances of earlier lives, and reports: `address` is where gateways reach the
    // routes.
    void begin(std::string address);

    // Takes no more work and stops what is under way. Then the listeners are to end.
    boost::asio::awaitable<void> stop_work();
    // Makes durable what is staged and ends. Nothing waits for a run: those belong to processes
    // that go on.
    boost::asio::awaitable<void> stop();

    [[nodiscard]] const HostId& id() const { return id_; }
    [[nodiscard]] const Handles& handles() const { return handles_; }
    [[nodiscard]] Ledger& ledger() { return ledger_; }
    [[nodiscard]] const Keeper& keeper() const { return keeper_; }
    [[nodiscard]] PackageCache& packages() { return packages_; }
    [[nodiscard]] const PackageCache& packages() const { return packages_; }
    [[nodiscard]] const Reporter& reporter() const { return reporter_; }
    // What gateways are told of it.
    [[nodiscard]] wire::HostAnnouncement announcement() const;

private:
    Result<void> open_journal();
    boost::asio::awaitable<void> run_journal();
    boost::asio::awaitable<void> keep_time();
    void ordered_to_drain(bool on);
    boost::asio::awaitable<void> obey_drain(bool on);
    [[nodiscard]] bool package_in_use(const Digest& digest) const;

    // Constant after construction (the id: after open(); the address: after begin()).
    const Ports ports_;
    const Config config_;
    const Logger logger_;
    HostId id_;
    std::string address_;
    std::function<void(const Error&)> on_failure_{};

    // In dependency order; destroyed in the opposite one.
    std::unique_ptr<journal::FileJournal> journal_;
    Ledger ledger_;
    AgentControl control_;
    Keeper keeper_;
    RunFiles files_;
    FileWatch log_watch_;
    PackageCache packages_;
    StatusFlow status_;
    LeaseFlow leases_;
    TakeFlow takes_;
    KillFlow kills_;
    Recovery recovery_;
    Drain drain_;
    Isolation isolation_;
    Reporter reporter_;
    const Handles handles_;

    net::TaskGroup tasks_;    // until the end begins
    net::TaskGroup commits_;  // the journal's: until everything else has ended
};

}  // namespace longhaul::host_agent
