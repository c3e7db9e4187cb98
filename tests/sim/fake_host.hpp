// A host as the gateway sees it: takes, starts, kills, acks, questions, announcements and status
// batches, in the wire's JSON, with the memory that a real one keeps in its journal.
//
// Runs take virtual time. restart() is the agent's: its runs live on, and it finds them again after
// a while (until then it is not `complete`). reboot() is the machine's: its runs are lost.
//
// With `leases`, an instance in which a run ended is leased ahead: the next run may be started
// there without the agent, which hears of it later, or too late (fake_host_leases.cpp).
#pragma once

#include "longhaul/wire/host_messages.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/sim/status_house.hpp"
#include "tests/sim/witness.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/fake_peer.hpp"
#include "tests/support/seeded_random.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace longhaul::sim {

class FakeHost final : public SimHost {
public:
    FakeHost(std::string name, test::FakeClock& clock, test::FakePeer& peer, StatusHouse& status,
             Notebook& notebook, Witness& witness, std::uint64_t seed, HostBehaviour behaviour);

    [[nodiscard]] const std::string& name() const override { return name_; }
    void begin() override;
    boost::asio::awaitable<void> finish() override;
    void heal() override;
    void look() override {}

    void restart(Duration down) override;
    void die_at(std::uint64_t nth) override;
    void fail_disk(std::uint64_t changes) override;
    void reboot(Duration down) override;
    void cut(bool on) override;
    void deafen(Duration span) override;
    void drain(bool on) override;
    void confuse(test::FakeBus& bus) override;
    void lose_instance() override;

    [[nodiscard]] std::uint64_t drains() const override { return drains_; }
    [[nodiscard]] bool tells_digests() const override { return behaviour_.digests; }
    [[nodiscard]] std::size_t kept() const override { return runs_.size(); }
    [[nodiscard]] bool settled_since(TimePoint when) const override;
    [[nodiscard]] std::vector<Fact> facts() const override;

private:
    enum class Stage : std::uint8_t { taken, running, ended };
    struct Run {
        Token token{};
        Stage stage = Stage::taken;
        std::uint64_t version = 1;
        std::optional<TimePoint> started_at{};
        std::optional<TimePoint> ends_at{};
        std::optional<TimePoint> ended_at{};
        std::uint64_t plan = 0;  // an end that was planned before the last one does not come
        bool ignores_sigterm = false;
        StopCause stop_cause = StopCause::none;
        bool found = true;      // by the present life of the agent
        bool heard = true;      // by the agent at all: not at once if it started under a lease
        std::uint64_t seq = 0;  // of its last change in this epoch
        std::string instance{};
        std::string run_token{};
        std::string result{};
        wire::StatusEntry end{};
    };
    // An instance that is leased ahead, as its runtime agent knows it.
    struct OpenLease {
        std::string run_token;
        OwnerTerm term = 0;
        RunKey after;
        TimePoint until;
    };
    using Response = Result<port::PeerResponse>;

    // fake_host.cpp: its life and its runs.
    void serve();
    void go_down(Duration down);
    void come_up(std::uint64_t life);
    void all_found(std::uint64_t life);
    void run(const RunKey& key, Run& what, const std::string& body, Duration timeout);
    void plan_end(const RunKey& key, Run& what, TimePoint at, AttemptOutcome outcome, bool sigkill);
    void end(const RunKey& key, Run& what, AttemptOutcome outcome, bool sigkill);
    void tell_again(const RunKey& key);
    void stop(const RunKey& key, Run& what, StopCause cause, Duration grace);
    [[nodiscard]] wire::StatusEntry entry_of(const RunKey& key, const Run& what) const;
    [[nodiscard]] std::size_t busy() const;

    // fake_host_leases.cpp
    void lease(const RunKey& after, const Run& what);
    void start_under_lease(const std::string& instance, const RunKey& key, const Token& token);
    void hear_later(const RunKey& key);
    [[nodiscard]] std::optional<std::string> leased_by(const std::string& run_token) const;
    [[nodiscard]] bool unheard(const RunKey& key) const;
    // Asks the leased instance, where the agent must. False: it is silent.
    [[nodiscard]] bool settle(const RunKey& key, const InstanceId& sent_to, bool closes);
    [[nodiscard]] bool lose_with_lease(const RunKey& key, const Token& token,
                                       const InstanceId& sent_to);
    // fake_host_reports.cpp: what it says of its runs.
    void announce_again();
    void publish(const RunKey& key);
    void send_report();
    void report_sent(const wire::Report& report, const std::string& text);
    [[nodiscard]] std::vector<RunKey> changed_since(std::uint64_t seq) const;
    [[nodiscard]] AttemptDigest digest() const;
    [[nodiscard]] Response status(const std::string& body);
    void answer_page(const std::optional<wire::AttemptKey>& after, wire::StatusAnswer& answer);
    void answer_delta(std::uint64_t since, wire::StatusAnswer& answer);
    void answer_named(const wire::StatusQuery& query, wire::StatusAnswer& answer);

    // fake_host_calls.cpp: what it answers.
    boost::asio::awaitable<Response> agent(port::PeerRequest request);
    boost::asio::awaitable<Response> take(std::string body);
    boost::asio::awaitable<Response> start(port::PeerRequest request);
    [[nodiscard]] std::optional<Error> refuses(const wire::TakeRequest& request);
    [[nodiscard]] Response take_answer(const RunKey& key) const;
    [[nodiscard]] Response kill(const std::string& body);
    // Nothing: what became of the attempt is not known.
    [[nodiscard]] std::optional<wire::KillOutcome> kill_one(const wire::KillOrder& order);
    [[nodiscard]] Response ack(const std::string& body);
    [[nodiscard]] Response result(const std::string& target);
    // False: an older owner.
    [[nodiscard]] bool obey(OwnerTerm term);

    const std::string name_;
    test::FakeClock& clock_;
    test::FakePeer& peer_;
    StatusHouse& status_;
    Notebook& notebook_;
    Witness& witness_;
    test::SeededRandom random_;
    const HostBehaviour behaviour_;

    // As in a host's journal.
    Epoch epoch_ = 1;
    OwnerTerm owner_term_ = 0;
    std::map<RunKey, Run> runs_;               // until they are acknowledged
    std::set<RunKey> closed_;                  // fenced or acknowledged: never taken again
    std::map<std::string, OpenLease> leases_;  // by instance
    std::set<std::string> lost_leases_;        // instances that died with an open lease
    std::uint64_t next_instance_ = 1;

    std::uint64_t seq_ = 0;
    std::uint64_t sent_seq_ = 0;
    bool reporting_ = false;  // a report is under way
    TimePoint digest_at_{};
    std::uint64_t life_ = 1;
    bool up_ = false;
    bool machine_up_ = false;
    std::uint64_t boots_ = 1;
    bool complete_ = true;
    bool cut_ = false;
    TimePoint deaf_until_{};
    bool draining_ = false;
    TimePoint settled_at_{};
    bool is_tidy_ = false;  // after heal(): nothing is refused for a passing reason
    std::uint64_t drains_ = 0;
};

}  // namespace longhaul::sim
