// Judges what the gateway makes durable and what leaves it, from the journal's records alone.
//
// It folds the records into its own picture and holds against it: each call that leaves (I8: its
// record is durable), each grant (I3, I7, the order of the line), each end (I4, and what its run
// did in fact), what readers are shown, and what a new life finds in the journal (I1).
#pragma once

#include "gateway/ledger/record_codec.hpp"
#include "longhaul/port/journal.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "tests/sim/notebook.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace longhaul::sim {

class Witness {
public:
    Witness(const port::Clock& clock, Notebook& notebook, const RunLimits& limits)
        : clock_(clock), notebook_(notebook), first_limits_(limits), limits_(limits) {}

    // A new process has opened its journal: all that was durable is still there.
    void opened(port::Journal& journal);
    void durable(const std::vector<std::string>& records);
    void leaves(const std::string& address, const port::PeerRequest& request);
    // The host at `address` has heard it.
    void answered(const std::string& address, const port::PeerRequest& request);
    // A reader of the gateway was shown this, or told that it is accepted.
    void shown(const Invocation& invocation);
    void accepted(const InvocationId& id);

    // Whose it is, if that is known.
    [[nodiscard]] std::optional<TenantName> tenant_of(const InvocationId& id) const;
    // When it last got in line; the beginning of time where that is not known.
    [[nodiscard]] TimePoint queued_since(const InvocationId& id) const;
    // When work was sent to the host, in this life.
    [[nodiscard]] const std::vector<TimePoint>& dispatches(const HostId& host) {
        return dispatches_[host];
    }
    // A host leased this for the next run, until then.
    void leased(const std::string& run_token, TimePoint until) { leases_[run_token] = until; }

private:
    struct Known {
        Invocation invocation;
        TimePoint queued_since{};
    };
    struct Function {
        std::shared_ptr<const FunctionSpec> spec;
        bool paused = false;
    };
    using FunctionKey = std::pair<TenantName, FunctionName>;
    // What runs beside an invocation.
    struct Running {
        std::uint32_t all = 0;
        std::uint32_t of_tenant = 0;
        std::uint32_t of_function = 0;
        std::map<std::string, std::uint32_t> of_key{};  // of the function
    };

    void fold(const std::string& bytes);
    void fold_other(const Record& record);
    void fold_change(const Record& record);
    void check_dispatch(const Invocation& before, const Attempt& attempt);
    [[nodiscard]] Running running_beside(const Invocation& invocation) const;
    void check_limits(const Invocation& granted, const RunKey& key, const Running& running);
    void check_line(const Invocation& granted, const Running& running);
    [[nodiscard]] bool is_before(const Invocation& waiting, const Invocation& granted,
                                 const Running& running);
    void check_terminal(const Invocation& before, const TerminalRecord& record);
    // Nothing is said of the evidence where it ended by a stop.
    void check_lost(const Invocation& before, AttemptNumber number,
                    const std::optional<std::string>& evidence);
    // policies.cpp
    void check_retry(const Invocation& before, const AttemptEndedRecord& record);
    void check_in_line(const Invocation& before, const RequeuedRecord& record);
    [[nodiscard]] const Attempt* find(const RunKey& key) const;
    void check_run(const char* what, const RunKey& key, const Token& token, OwnerTerm term);
    void check_start(const port::PeerRequest& request);
    void check_kill(const wire::KillOrder& order);
    void check_ack(const wire::Ack& ack);
    void wrong(const char* invariant, const RunKey& key, const std::string& what);

    const port::Clock& clock_;
    Notebook& notebook_;
    const RunLimits first_limits_;
    RunLimits limits_;

    std::vector<std::string> journal_;  // durable, by position
    bool live_ = false;                 // not while a journal is read again
    TimePoint life_began_{};
    OwnerTerm term_ = 0;
    bool term_is_due_ = false;  // the first record of a life
    std::map<InvocationId, Known> known_;
    std::map<FunctionKey, Function> functions_;
    std::map<std::string, InvocationId> keys_;
    std::set<std::string> tokens_;
    std::map<HostId, std::set<RunKey>> owed_;  // fences that hosts have not heard, of this life
    std::map<HostId, std::vector<TimePoint>> dispatches_;
    std::map<std::string, TimePoint> leases_;
    std::map<std::string, RunKey> used_leases_;
};

// The journal of one life, as the gateway has it.
class WatchedJournal final : public port::Journal {
public:
    WatchedJournal(port::Journal& journal, Witness& witness)
        : journal_(journal), witness_(witness) {}

    boost::asio::awaitable<Result<port::Position>> append(
        std::vector<std::string> records) override;
    [[nodiscard]] Result<void> replay(port::Position from, const Visitor& each) override {
        return journal_.replay(from, each);
    }
    [[nodiscard]] Result<void> trim(port::Position before) override {
        return journal_.trim(before);
    }
    [[nodiscard]] port::JournalOpening opening() const override { return journal_.opening(); }
    [[nodiscard]] std::uint64_t bytes() const override { return journal_.bytes(); }

private:
    port::Journal& journal_;
    Witness& witness_;
};

}  // namespace longhaul::sim
