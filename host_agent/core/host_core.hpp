// Decides everything a host decides: which instance serves a take, which request is stale or
// fenced, which news of a run is new, when an idle instance or an unused take is given up.
//
// Pure. The caller says what time it is and what happened, and is told what to do; records are
// appended to `out` in the order in which they must become durable. An answer that depends on a
// record is given only once that record is durable; the driver sees to that.
//
// Invariants (check_invariants() verifies them):
//   (1) An instance serves at most as many runs that have not ended as it has places, one of an
//       invocation; they and it name each other.
//   (2) At most limits.instances_max instances exist that are not being destroyed, and their memory
//       is at most limits.memory_mb; what an earlier life left may exceed both.
//   (3) A fenced or acknowledged attempt, or one older than another attempt of its invocation that
//       is known here, is never taken.
//   (4) Every change of a run has a sequence number of its own; numbers only rise.
//   (5) An ended run stays ended, with its first end, until it is acknowledged.
//   (6) A leased instance is idle. It serves no take, is not destroyed and not given to a second
//       lessee before its lease is closed; a run that its runtime agent says has started under the
//       lease is a run here from then on.
//   (7) While a host drains, no take of a run that is new to it is begun.
//
// Not thread-safe. One Ledger (driver/ledger.hpp) owns one HostCore.
#pragma once

#include "host_agent/core/record.hpp"
#include "host_agent/core/values.hpp"
#include "longhaul/lifecycle/attempt_digest.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

enum class TakeVerdict : std::uint8_t {
    stale,        // an older owner term
    fenced,       // this attempt may not start here any more
    mismatch,     // the attempt is known under another token
    ended,        // it ran here and ended
    in_progress,  // an earlier request of the same take is under way
    answered,     // the same take was answered before: `instance`
    reuse,        // assign `instance`, which has the code loaded or (if shared) is loading it
    start,        // start `instance` (new), load, assign; destroy `evict`
    close,        // close the leases of `close`, then ask again
    no_capacity,
    overloaded,  // too many runs wait to be acknowledged
    draining,    // no more work comes here
};

struct TakeDecision {
    TakeVerdict verdict = TakeVerdict::no_capacity;
    InstanceId instance{};
    std::vector<InstanceId> evict{};
    std::vector<InstanceId> close{};
};

enum class KillVerdict : std::uint8_t {
    stale,
    fenced,   // it never started here: durable now
    ended,    // it had ended: reported again
    forward,  // its runtime agent has to be told: `instance`
    ask,      // unknown here, but `instance` is leased: its runtime agent knows. Blocked till then
    lost,     // unknown here, and `instance` is gone with its lease: see adopt_lost()
};

struct KillDecision {
    KillVerdict verdict = KillVerdict::stale;
    InstanceId instance{};
};

class HostCore {
public:
    explicit HostCore(const CoreLimits& limits);

    // The machine has room for no more instances than this, whatever the limits say. Before the
    // first take.
    void bound_instances(std::uint32_t most);

    // Ends the replay: every instance that the journal knows is unproven until found() or dead(),
    // and every run counts as changed. The epoch is the journal's + 1, or the unix time if later.
    void begin_epoch(TimePoint now, Records& out);
    // Goes on under an epoch above `floor`: somebody was heard under that one. Every run counts as
    // changed again.
    void raise_epoch(Epoch floor, Records& out);

    // Owner terms. False: the term is stale. A higher one is recorded.
    [[nodiscard]] bool obey(const RunOwner& owner, Records& out);

    // Takes, in the order start/reuse → [made → loaded →] assigned, or abandon.
    [[nodiscard]] TakeDecision take(TimePoint now, const TakeInput& input, Records& out);
    void made(const InstanceId& id, const InstanceProcess& process, Records& out);
    void loaded(const InstanceId& id, const LoadedCode& code, Records& out);
    // False: a fence came in between; then the take is forgotten and the instance idle again. Or
    // the take is no more.
    [[nodiscard]] bool assigned(TimePoint now, const RunKey& key, const std::string& run_token,
                                const std::string& data_address, Records& out);
    // The take failed. The instance was marked broken where it must not be used again.
    void abandon(TimePoint now, const RunKey& key, bool broken);
    // A take that was answered is given back. False: it is not known, or has started.
    [[nodiscard]] bool release(TimePoint now, const RunKey& key, Records& out);
    // The runtime agent swears that a lapsed take never started: fenced, instance free.
    void lapse(TimePoint now, const RunKey& key, Records& out);

    // Status. True: news, which has a sequence number now.
    [[nodiscard]] bool observe(const RunKey& key, const InstanceId& from, StatusStamp stamp);
    // The end. True: it is the first, and recorded. The instance is idle afterwards, or broken.
    [[nodiscard]] bool ended(TimePoint now, const RunKey& key, StatusStamp stamp,
                             std::string status, bool instance_usable, Records& out);
    // `sent_to`: the instance under whose lease the run may have started; empty where none is.
    [[nodiscard]] KillDecision kill(TimePoint now, const RunOwner& owner, const RunKey& key,
                                    bool fence, const InstanceId& sent_to, Records& out);
    // Forgets an ended run. True: it was known.
    bool ack(TimePoint now, const RunKey& key, Records& out);

    // Leases. In the order lessee → [told to the runtime agent → ended →] lease → adopt or close.
    // To whom the instance of `key` may be leased when that run has ended; nothing: to nobody. A
    // shared one is never leased: its places are given out here alone.
    [[nodiscard]] std::optional<RunOwner> lessee(const RunKey& key) const;
    // Leases the instance of a run that has just ended, of which its runtime agent knows already.
    // False: it cannot serve another run.
    bool lease(TimePoint now, const RunKey& after, const Lease& lease,
               const std::string& data_address, Records& out);
    // Its runtime agent does not answer when asked about it: the lease is due, and avoided.
    void lease_stuck(const InstanceId& id);
    // The leased instance that is to be told with the end of `key`; nullptr: none, or no more.
    [[nodiscard]] const Instance* leased_after(TimePoint now, const RunKey& key) const;
    // A runtime agent says that it runs, or ran, something that is unknown here. True: under its
    // lease, and it is a run here now.
    bool adopt(TimePoint now, const RunKey& key, const Token& token, const InstanceId& id,
               const std::string& data_address, Records& out);
    // The runtime agent lets nobody in under it any more, and was heard after that.
    void close_lease(const InstanceId& id, Records& out);
    // What may have run under a lease whose instance is gone counts as run. False: not so.
    bool adopt_lost(TimePoint now, const RunKey& key, const Token& token, const InstanceId& id,
                    Records& out);
    [[nodiscard]] bool lost_with_lease(const InstanceId& id) const;
    // Leases that have lapsed, or whose owner was succeeded: to be closed.
    [[nodiscard]] std::vector<InstanceId> leases_due(TimePoint now) const;
    // Ends what a KillVerdict::ask began: takes of `key` are decided by its past again.
    void unblock(const RunKey& key) { blocked_.erase(key); }
    // No run under `key`: fenced, durably.
    void fence(TimePoint now, const RunKey& key, Records& out);

    // Instances.
    void found(const InstanceId& id);  // an unproven one lives
    // Its runtime agent says that it is of no more use: nor is its lease.
    void broken(const InstanceId& id, Records& out);
    // True: its end is now under way, and only the caller sees to it.
    [[nodiscard]] bool begin_destroy(const InstanceId& id);
    // The process is proven gone. The runs that it takes along, unended.
    [[nodiscard]] std::set<RunKey> dead(const InstanceId& id, Records& out);

    // Drain: no new takes, no idle instances. It is kept until end_drain(), over restarts too.
    void begin_drain(DrainOrder order, Records& out);
    void end_drain(Records& out);
    // The same for the rest of this life: the next one takes work again.
    void leave(DrainOrder order) { leaving_ = std::move(order); }
    // The order that counts: of two the one with the earlier limit. nullptr: none.
    [[nodiscard]] const DrainOrder* drain() const;
    // Runs whose time to finish is over: to be stopped. Named once each, but for takes under way,
    // which are named until they have become something else.
    [[nodiscard]] std::vector<RunKey> drain_due(TimePoint now);
    // What the host still has to do or to hand over: unended runs, and ends that the gateway has
    // not acknowledged.
    [[nodiscard]] std::vector<RunKey> blocking() const;
    [[nodiscard]] bool drained() const;  // drains, blocks on nothing, has no instance left

    // Time.
    // Instances that are worn out, or idle for too long: to be destroyed, and marked so.
    [[nodiscard]] std::vector<InstanceId> retire(TimePoint now);
    // Takes that were answered and not started: ask the runtime agent, then lapse(). Named once.
    [[nodiscard]] std::vector<RunKey> lapsed(TimePoint now);
    // Fences, and ends of fenced runs, whose time is over.
    void forget_old(TimePoint now);
    // The earliest moment at which one of the three has something to do.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    // Journal: reads one record back; the whole live state as one batch.
    void apply(const Record& record);
    [[nodiscard]] Records snapshot() const;

    // Observers.
    [[nodiscard]] const CoreLimits& limits() const { return limits_; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] std::uint64_t last_seq() const { return last_seq_; }
    [[nodiscard]] bool complete() const;
    [[nodiscard]] const Run* run(const RunKey& key) const;
    [[nodiscard]] const Instance* instance(const InstanceId& id) const;
    [[nodiscard]] const std::map<RunKey, Run>& runs() const { return runs_; }
    [[nodiscard]] const std::map<InstanceId, Instance>& instances() const { return instances_; }
    [[nodiscard]] bool is_fenced(const RunKey& key) const;
    // Changes after `seq`, in order, at most `max`.
    [[nodiscard]] std::vector<std::pair<std::uint64_t, RunKey>> changes_after(
        std::uint64_t seq, std::size_t max) const;
    // Whether one of them is more than progress or usage: then it should not wait for company.
    [[nodiscard]] bool is_urgent_after(std::uint64_t seq) const { return urgent_seq_ > seq; }
    // Of all runs but those whose take has no answer yet.
    [[nodiscard]] AttemptDigest digest() const;
    [[nodiscard]] std::uint32_t memory_busy_mb() const;
    void check_invariants() const;

private:
    [[nodiscard]] std::optional<TakeDecision> known(const TakeInput& input) const;
    [[nodiscard]] const Instance* place_for(const TakeInput& input) const;
    [[nodiscard]] const Instance* idle_for(const LoadedCode& code) const;
    [[nodiscard]] const Instance* leased_for(TimePoint now, const TakeInput& input) const;
    [[nodiscard]] std::optional<std::vector<InstanceId>> make_room(TimePoint now,
                                                                   const TakeInput& input,
                                                                   bool with_leased) const;
    void no_lease(Instance& instance);
    void remember_lost(const InstanceId& id, TimePoint at);
    [[nodiscard]] bool superseded(const RunKey& key) const;
    enum class Urgency : std::uint8_t { may_wait, urgent };
    void changed(const RunKey& key, Run& run, Urgency urgency = Urgency::urgent);
    void forget(const RunKey& key);
    void remember_fence(const RunKey& key, TimePoint at);
    void free_instance(const InstanceId& id, const RunKey& key, TimePoint now, bool usable);
    void apply_assigned(const Assigned& record);
    void apply_ended(const Ended& record);

    CoreLimits limits_;  // constant once takes come

    Epoch epoch_ = 0;
    std::uint64_t last_seq_ = 0;
    std::uint64_t urgent_seq_ = 0;  // the last that is more than progress or usage
    std::map<Shard, OwnerTerm> terms_;
    std::map<InstanceId, Instance> instances_;
    std::map<RunKey, Run> runs_;
    std::map<std::uint64_t, RunKey> changes_;  // of runs_, by Run::seq

    std::optional<DrainOrder> drain_;    // in the journal
    std::optional<DrainOrder> leaving_;  // not

    // Attempts that never run here, oldest first in fence_order_.
    std::map<RunKey, TimePoint> fences_;
    std::deque<std::pair<TimePoint, RunKey>> fence_order_;

    std::map<InstanceId, TimePoint> lost_leases_;  // instances gone with an open lease
    std::set<RunKey> blocked_;                     // of this life: a runtime agent is being asked
};

}  // namespace longhaul::host_agent
