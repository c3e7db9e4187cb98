// The host's state together with its journal: the core, the full status of every run, and the one
// writer that makes records durable.
//
// Runs on one executor; not thread-safe. Whoever changes the core does so between two awaits and
// hands the records to stage() at once, so records lie in the journal in the order of the changes.
//   (1) An answer or report that depends on a record is given only after durable() returned success
//       for its ticket.
//   (2) After a failed append nothing is durable any more: every later durable() is an error (I12).
//   (3) The journal is rewritten as a snapshot of the live state, in one batch, when it grew.
#pragma once

#include "host_agent/core/host_core.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/journal.hpp"
#include "longhaul/wire/host_messages.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

struct LedgerCounters {
    std::uint64_t records = 0;
    std::uint64_t batches = 0;
    std::uint64_t snapshots = 0;
};

class Ledger {
public:
    using Ticket = std::uint64_t;

    Ledger(boost::asio::any_io_executor executor, const port::Clock& clock, Logger logger,
           const CoreLimits& limits, std::uint32_t compact_records);

    // Called once when the journal fails, for the program to stop (I12). Before run().
    void on_failure(std::function<void(const Error&)> handler) { on_failure_ = std::move(handler); }

    // Reads `journal` back, begins a new epoch and stages it. Blocks; before run(). `journal`
    // outlives the Ledger's use.
    [[nodiscard]] Result<void> replay(port::Journal& journal);

    // Writes what is staged, until stop() and nothing is left. For a TaskGroup.
    boost::asio::awaitable<void> run();
    void stop();

    [[nodiscard]] HostCore& core() { return core_; }
    [[nodiscard]] const HostCore& core() const { return core_; }

    // Takes `records` in; the ticket covers them and everything staged before.
    Ticket stage(Records records);
    boost::asio::awaitable<Result<void>> durable(Ticket ticket);
    // Everything staged so far.
    boost::asio::awaitable<Result<void>> durable() { return durable(staged_); }
    [[nodiscard]] bool failed() const { return failure_.has_value(); }

    // The full status of a run, of which the core keeps the stamp.
    void keep(const RunKey& key, wire::StatusEntry entry);
    // As it is now, with times relative to now. REQUIRES the core to know the run.
    [[nodiscard]] wire::StatusEntry entry(const RunKey& key) const;
    void drop(const RunKey& key) { kept_.erase(key); }
    // Drops all that the core has forgotten.
    void sweep();

    // Notified when a run changed durably enough to be reported, and when an instance changed.
    [[nodiscard]] net::Notifier& changed() { return changed_; }

    [[nodiscard]] const LedgerCounters& counters() const { return counters_; }

private:
    struct Kept {
        wire::StatusEntry entry;
        TimePoint at;
    };

    void stage_snapshot();
    [[nodiscard]] Result<void> take_in(const Record& record);

    // Constant after construction.
    const port::Clock& clock_;
    const Logger logger_;
    const std::uint32_t compact_records_;

    HostCore core_;
    std::map<RunKey, Kept> kept_;

    // What waits for the journal. Tickets number records from 1.
    port::Journal* journal_ = nullptr;
    std::vector<std::string> waiting_;
    Ticket staged_ = 0;
    Ticket durable_ = 0;
    std::optional<Error> failure_;
    std::function<void(const Error&)> on_failure_{};
    bool stopping_ = false;
    std::uint64_t since_snapshot_ = 0;
    std::uint64_t snapshot_size_ = 0;
    Ticket snapshot_begin_ = 0;  // 0 = none to trim behind
    net::Notifier staged_some_;
    net::Notifier progressed_;
    net::Notifier changed_;
    LedgerCounters counters_;
};

// Between the core's and the wire's name of a run.
[[nodiscard]] RunKey run_key(const wire::AttemptKey& key);
[[nodiscard]] wire::AttemptKey wire_key(const RunKey& key);

}  // namespace longhaul::host_agent
