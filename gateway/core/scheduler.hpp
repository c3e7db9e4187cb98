// The heart: accepts invocations, decides which goes out next, follows every attempt to its one
// end, and notices when something is overdue.
//
// Pure. It has no clock, performs no I/O, writes no log and starts no thread: the caller says what
// time it is and what happened, and is told what to persist and what to do. The same calls give the
// same answers, live, in recovery and in the simulator.
//
// Invariants (check_invariants() verifies them; the simulator calls it after every step):
//   (1) A live invocation is in exactly one place: waiting in its function's queue, scheduled or
//       retrying by the clock, or holding a slot with exactly one unended, unfenced attempt (I3).
//   (2) Slots held = unended attempts, counted from the invocations themselves; none is granted at
//       or above a limit (I7).
//   (3) A terminal invocation is never changed again (I4); it stays readable until forget().
//   (4) One key, one invocation (I2), for as long as the invocation is known here.
//   (5) After tick(now) nothing held is due at or before `now` (I6).
//
// Not thread-safe. One driver owns one Scheduler. Every call that takes an Outcome appends to it;
// records are to be persisted in order, effects run once all records up to theirs are durable.
#pragma once

#include "gateway/core/entry_table.hpp"
#include "gateway/core/function_queue.hpp"
#include "gateway/core/host_table.hpp"
#include "gateway/core/inspection.hpp"
#include "gateway/core/lease_table.hpp"
#include "gateway/core/outcome.hpp"
#include "longhaul/base/result.hpp"
#include "longhaul/lifecycle/transition.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace longhaul::gateway {

struct SchedulerLimits {
    RunLimits run{};                              // until a LimitsPutRecord says otherwise
    std::uint32_t queued_max = 1'000'000;         // waiting, all functions together
    std::uint64_t queued_bytes_max = 8ull << 30;  // of their events
    std::uint32_t route_tries_max = 16;
    std::uint32_t functions_max = 10'000;
    HostTimes hosts{};
    Duration timeout_margin = std::chrono::seconds(5);  // the runtime agent ends a run itself;
                                                        // the gateway steps in this much later
    Duration ask_again = std::chrono::seconds(1);       // after an answer that was not complete
    bool use_leases = true;                             // of idle instances
    std::uint32_t leases_max = 10'000;
    Duration lease_margin = std::chrono::milliseconds(500);  // before a lease lapses
    bool keep_bodies = true;  // of ended invocations, as long as those are kept: for a retry
};

// How a waiting invocation stands; derived, never stored.
struct WaitInfo {
    WaitReason reason = WaitReason::none;
    std::optional<std::uint64_t> position{};  // 1 = next; may over-count (FunctionLines::place_of)
    std::optional<Duration> eta{};            // until its start, as far as that can be told
};

class Scheduler {
public:
    // `token_seed`: tokens of attempts are drawn from it; never the same twice.
    Scheduler(const SchedulerLimits& limits, std::uint64_t token_seed);

    // --- Recovery: load(), then replayed() for every later record, then begin(). ---

    void load_owner_term(OwnerTerm term) { owner_term_ = term; }
    void load_limits(const RunLimits& limits) { run_limits_ = limits; }
    void load_function(const TenantName& tenant, std::shared_ptr<const FunctionSpec> function,
                       bool paused, TimePoint updated_at);
    void load_invocation(Invocation invocation);
    void replayed(const Record& record);

    // Claims the next owner term (its record is first), rebuilds queues, slots and timers.
    void begin(TimePoint now, Outcome& out);

    // --- Callers. A refusal changes nothing. ---

    // Takes responsibility for the invocation, or says why not: unknown-function, queue-full,
    // idempotency-mismatch, not-found. With a free slot accepted and dispatching are one record.
    [[nodiscard]] Result<SubmitAnswer> submit(TimePoint now, SubmitRequest request, Outcome& out);

    // Cancels or kills. Errc::not_found; a conflict of type already-finished. Repeats are no-ops, a
    // higher cause escalates.
    [[nodiscard]] Result<void> stop(TimePoint now, const StopRequest& request, Outcome& out);

    // Deletes an ended invocation; here it stays until the view has taken it out, and with it its
    // key. Errc::conflict, still-live. What is not known here has ended, says the caller.
    [[nodiscard]] Result<void> purge(TimePoint now, const InvocationId& id, Outcome& out);
    void put_limits(TimePoint now, const RunLimits& limits, Outcome& out);
    // Changes what the request names. Errc::not_found; Errc::precondition at another revision; a
    // conflict where it has ended, or where not_before comes too late.
    [[nodiscard]] Result<void> patch(TimePoint now, const PatchRequest& request, Outcome& out);

    // True if it is new, false if it replaced or equalled another version.
    [[nodiscard]] Result<bool> put_function(TimePoint now, const TenantName& tenant,
                                            FunctionSpec function, Outcome& out);
    // Errc::conflict with live work.
    [[nodiscard]] Result<void> delete_function(TimePoint now, const TenantName& tenant,
                                               const FunctionName& name, Outcome& out);
    [[nodiscard]] Result<void> pause(TimePoint now, const TenantName& tenant,
                                     const FunctionName& name, bool paused, Outcome& out);

    // --- News. What is about an unknown, finished, fenced or superseded attempt is answered with
    // an ack and otherwise ignored: late and repeated news is normal. ---

    void report(TimePoint now, AttemptReport report, Outcome& out);
    // The runtime agent of a leased instance has answered the start. Its host has to say so too, or
    // is asked.
    void started_under_lease(TimePoint now, AttemptReport report, Outcome& out);
    // The start was certainly refused or never sent.
    void not_started(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                     RouteFailure failure, const std::string& why, Outcome& out);
    // The user's own code could not be loaded.
    void load_failed(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                     const std::string& message, Outcome& out);
    // The host answered a stop with: never started here and never will be.
    void stop_was_fence(TimePoint now, const InvocationId& id, AttemptNumber attempt, Outcome& out);
    // FetchResultEffect ended: the bytes are ours, or cannot be had.
    void result_copied(TimePoint now, const InvocationId& id, AttemptNumber attempt,
                       Result<Content> result, Outcome& out);
    void host_news(TimePoint now, const HostNews& news, Outcome& out);
    // A batch of the status stream arrived; asks the host if something before it was missed, or may
    // have been (no prev_seq).
    void host_batch(TimePoint now, const HostId& host, Epoch epoch,
                    std::optional<std::uint64_t> prev_seq, std::uint64_t last_seq, Outcome& out);
    void host_answered(TimePoint now, const HostAnswer& answer, Outcome& out);
    // The host knows that the attempt is fenced.
    void fence_told(TimePoint now, const HostId& host, const InvocationId& id,
                    AttemptNumber attempt, Outcome& out);
    // News may have been missed: asks every host that has attempts of ours.
    void ask_all(TimePoint now, Outcome& out);
    // The question could not be asked: ask again later.
    void host_silent(TimePoint now, const HostId& host);
    // An order to drain is on its way to the host: from now on no slot is granted there, until
    // drain_answered() says whether it drains (nothing: it could not be asked).
    void hold_host(const HostId& host) { hosts_.hold(host); }
    void drain_answered(TimePoint now, const HostId& host, std::optional<bool> draining,
                        Outcome& out);
    // The host has answered the take: from here on its ignorance is evidence. `stages` is what the
    // route to the instance took; reports of the attempt go on from there.
    void take_answered(TimePoint now, const InvocationId& id, AttemptNumber attempt, Phase phase,
                       StageTrace stages, Outcome& out);

    void tick(TimePoint now, Outcome& out);
    // When tick() is next needed; nothing if no promise depends on time.
    [[nodiscard]] std::optional<TimePoint> next_deadline();

    // From now on nothing new goes out; what runs, runs on. For a stop that waits for it.
    void hold_grants() { holding_ = true; }

    // The view has it: an ended invocation, and its key, need no longer be kept here.
    void forget(const InvocationId& id);

    // --- Observers. Pointers are good until the next call. ---

    [[nodiscard]] const Invocation* find(const InvocationId& id) const;
    // Whether this attempt is still the one to start: the driver asks before each try.
    [[nodiscard]] bool wants_start(const InvocationId& id, AttemptNumber attempt) const;
    [[nodiscard]] bool wants_stop(const InvocationId& id, AttemptNumber attempt) const;
    // Whether the host, which is there, still has to be told that the attempt is fenced.
    [[nodiscard]] bool owes_fence(const HostId& host, const InvocationId& id,
                                  AttemptNumber attempt) const;
    // What to ask of the host now, if anything.
    [[nodiscard]] std::optional<HostQuestion> question(const HostId& host) const;
    // Whether one more, with an event of so many bytes, may wait; queue-full, with limit and scope,
    // if not. REQUIRES queue.current.
    [[nodiscard]] Result<void> has_room(TimePoint now, const FunctionQueue& queue,
                                        std::uint64_t bytes) const;
    [[nodiscard]] WaitInfo wait_info(const Invocation& invocation) const;
    // What is known of it beside its records; nothing if it is not known here.
    [[nodiscard]] std::optional<Inspection> inspect(const InvocationId& id) const;
    // Who holds a slot, in the order of (host, id, attempt), after that one: at most `max`.
    [[nodiscard]] std::vector<SlotHolder> slot_holders(const std::optional<SlotPlace>& after,
                                                       std::size_t max) const;
    // By name, with what each has running.
    [[nodiscard]] const std::map<TenantName, FairTenant>& tenants() const {
        return fair_.tenants();
    }
    // Why nobody of this function can go: of the one that would be next.
    [[nodiscard]] WaitReason blocked_by(const FunctionQueue& queue) const;
    // Who has waited longest there, or nullptr.
    [[nodiscard]] const Invocation* oldest_waiting(const FunctionQueue& queue) const;
    // At most `max` of those that wait for a slot of the function.
    [[nodiscard]] std::vector<InvocationId> waiting_in(const FunctionQueue& queue,
                                                       std::size_t max) const;
    [[nodiscard]] const FunctionQueue* function(const TenantName& tenant,
                                                const FunctionName& name) const;
    [[nodiscard]] const std::map<FunctionKey, FunctionQueue>& functions() const {
        return functions_;
    }
    [[nodiscard]] const HostTable& hosts() const { return hosts_; }
    [[nodiscard]] const LeaseTable& leases() const { return leases_; }
    [[nodiscard]] const RunLimits& run_limits() const { return run_limits_; }
    [[nodiscard]] OwnerTerm owner_term() const { return owner_term_; }
    [[nodiscard]] std::optional<InvocationId> find_key(const TenantName& tenant,
                                                       const FunctionName& function,
                                                       const std::string& key) const;
    void for_each(const std::function<void(const Invocation&)>& each) const;
    [[nodiscard]] std::size_t live_count() const { return live_; }
    [[nodiscard]] std::size_t running_count() const { return running_; }
    [[nodiscard]] std::size_t waiting_count() const { return waiting_; }
    // Scheduled or retrying.
    [[nodiscard]] std::size_t timed_count() const { return timed_; }
    // Of the events of all these.
    [[nodiscard]] std::uint64_t waiting_bytes() const { return waiting_bytes_ + timed_bytes_; }
    void check_invariants() const;

private:
    // Where an invocation can go: under the lease, if there is one.
    struct Route {
        const Host* host = nullptr;
        std::optional<Lease> lease{};
    };

    // entries.cpp: places, slots, timers.
    Entry* find_entry(const InvocationId& id);
    Entry* find_attempt(const InvocationId& id, AttemptNumber attempt);
    // What is whole: all but what only waits.
    [[nodiscard]] const Entry* find_whole(const InvocationId& id) const;
    [[nodiscard]] const Invocation* show(const Seat& seat) const;
    void commit(Entry& entry, Record record, Outcome& out);
    void place(TimePoint now, Entry& entry);
    void leave(Entry& entry);
    void arm(Entry& entry);
    [[nodiscard]] std::optional<TimePoint> due_at(const Invocation& invocation) const;
    FunctionQueue& queue_of(const Invocation& invocation);
    [[nodiscard]] Change change(const Entry& entry, TimePoint now, State state) const;
    void changed(Entry& entry, Outcome& out);

    // operations.cpp
    [[nodiscard]] std::optional<Result<SubmitAnswer>> known_submit(
        const SubmitRequest& request) const;
    void remember(const Invocation& invocation);

    // waiting.cpp: lines, and who is let out of them.
    void enqueue(Entry& entry);
    void dequeue(Entry& entry);
    void count_timed(const Invocation& invocation, bool enters);
    void set_limits(FunctionQueue& queue);
    // The end of a step: whoever may go goes, and who goes on waiting is packed.
    void grant(TimePoint now, Outcome& out);
    void grant_slots(TimePoint now, Outcome& out);
    void look_again(TimePoint now);
    void pass_over(TimePoint now, Entry& entry);
    void end_backoff(FunctionQueue& queue, Entry& entry);
    void line_up_again(Entry& entry);
    void dispatch(TimePoint now, const FairQueue::Next& next, const Route& route, Outcome& out);
    [[nodiscard]] bool may_start_at_once(const FunctionQueue& queue,
                                         const Invocation& invocation) const;
    [[nodiscard]] const FunctionQueue* known_queue(const Invocation& invocation) const;
    [[nodiscard]] WaitReason waits_for(const Seat& seat, const std::string& key,
                                       const FunctionQueue& queue) const;

    // dispatch.cpp: slots and routes.
    void avoid(TimePoint now, Entry& entry, const HostId& host, std::uint32_t tries);
    [[nodiscard]] WaitReason limit_reached(const FunctionQueue& queue) const;
    [[nodiscard]] Route leased_route(TimePoint now, const TenantName& tenant,
                                     const FunctionSpec& function);
    [[nodiscard]] Attempt new_attempt(TimePoint now, const Invocation& invocation,
                                      const Route& route);
    void start(const Entry& entry, Outcome& out, const std::optional<Lease>& lease = {},
               bool is_repeat = false) const;
    void take_lease(TimePoint now, const Entry& entry, const AttemptReport& report);
    void requeue(TimePoint now, Entry& entry, Trigger trigger, std::uint32_t route_tries,
                 Outcome& out);

    // ends.cpp: how attempts and invocations end.
    void take_end(TimePoint now, Entry& entry, AttemptReport report, Outcome& out);
    void conclude(TimePoint now, Entry& entry, const AttemptReport& report, Outcome& out);
    void end_unstarted(TimePoint now, Entry& entry, Trigger trigger, Failure failure, Outcome& out);
    void lose(TimePoint now, Entry& entry, const std::string& evidence, Outcome& out);
    void fence(TimePoint now, Entry& entry, Outcome& out);
    void finish(TimePoint now, Entry& entry, TerminalRecord record, Outcome& out);
    void observe_run(TimePoint now, const Entry& entry);
    void end_attempt(TimePoint now, Entry& entry, State next, AttemptEnd end,
                     std::optional<Failure> failure, std::optional<Content> result,
                     std::optional<Stop> stop, Outcome& out);

    // retries.cpp: what is tried again.
    struct HostWords {
        bool sigkill_sent = false;
        Duration retry_after{};
    };
    struct Verdict {
        std::optional<State> next{};  // as transition() says
        TimePoint due_at{};           // where it is retrying
        bool is_out_of_budget = false;
    };
    // The state after the attempt's end. A retry is taken out of the function's budget.
    [[nodiscard]] Verdict judge(TimePoint now, const Entry& entry, Trigger trigger,
                                FailureReason reason, const HostWords& words);
    void retry_later(TimePoint now, Entry& entry, AttemptEnd end, FailureReason reason,
                     const std::string& message, TimePoint due_at, Outcome& out);

    // stops.cpp
    void begin_stop(TimePoint now, Entry& entry, Stop stop, Outcome& out);
    void send_stop(const Entry& entry, Outcome& out) const;
    void overdue(TimePoint now, Entry& entry, Outcome& out);
    void release(TimePoint now, Entry& entry, Outcome& out);

    void heal(const HostId& host, Outcome& out);
    void heard(const HostId& host, const HostTable::Heard& heard, Outcome& out);
    [[nodiscard]] AttemptDigest digest_of(const Host& host) const;
    // False: that it is absent proves nothing yet.
    bool judge_absent(TimePoint now, Entry& entry, const HostAnswer& answer, Outcome& out);
    void ack(const AttemptReport& report, Outcome& out) const;
    void fence_late(const AttemptReport& report, Outcome& out) const;
    void remind(const AttemptReport& known, Outcome& out);
    [[nodiscard]] std::string host_address(const HostId& host, const std::string& recorded) const;
    Token next_token();
    void check_entry(const Entry& entry) const;
    void check_queues() const;

    // Constant after construction.
    const SchedulerLimits limits_;

    RunLimits run_limits_;
    OwnerTerm owner_term_ = 0;
    std::uint64_t token_state_;
    std::uint64_t next_ticket_ = 1;
    TimePoint last_now_{};
    bool begun_ = false;
    bool holding_ = false;

    EntryTable entries_;
    mutable Invocation shown_{};  // what was packed and asked for, until the next call
    std::map<FunctionKey, FunctionQueue> functions_;
    FairQueue fair_;
    std::map<std::pair<TimePoint, std::uint64_t>, Entry*> backing_off_;  // until, ticket
    std::map<std::tuple<TenantName, FunctionName, std::string>, InvocationId> keys_;
    std::unordered_map<InvocationId, InvocationId> retries_;  // of which -> the last known here
    HostTable hosts_;
    LeaseTable leases_;
    DeadlineHeap deadlines_;
    std::size_t live_ = 0;
    std::size_t running_ = 0;
    std::size_t waiting_ = 0;
    std::uint64_t waiting_bytes_ = 0;
    std::size_t timed_ = 0;  // scheduled or retrying
    std::uint64_t timed_bytes_ = 0;
};

}  // namespace longhaul::gateway
