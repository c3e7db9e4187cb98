// The life of one instance: standby, load, run after run, stop, broken.
//
//     standby --begin_load--> loading --load_ended(ok)--> loaded <--end, nothing left-- busy
//        |                       |                          |  --start--------------->   |
//        '--- break_down, load failed, stop of a run, processes left behind -----> broken
//
// An exclusive instance has one place, and a stop ends its whole tree. A shared one has more. There
// a stop is put to the function (cancel_run), which has its grace to return; the others go on. One
// that did not return is given up: it ends without proof that it is gone, the instance is broken
// (takes nothing new) and lives for the others alone. Once only stopped runs are left in a broken
// instance, or one is alone at the end of its grace, the tree is ended as in an exclusive one.
//
// Pure: no clock, no process, no socket. The driver (driver/agent.hpp) says what happened and when,
// performs the actions in order, and calls tick() at next_deadline().
//
// Invariants:
//   (1) At most as many runs are live as there are places, one of an invocation (I3 inside an
//       instance); a repeated start is the run that exists.
//   (2) A run starts only under an assignment that names it, or under an offer that nobody has
//       used, and never when fenced. Assignments that were not used are at most as many as places
//       are free; a newer one takes the place of the oldest. Only an exclusive instance offers.
//   (3) A run has one end. After a stop began it is no success, whatever the function says.
//   (4) An ended run is remembered until the host agent has kept it and another is assigned.
//   (5) A stop that ends processes ends the instance: broken.
#pragma once

#include "longhaul/base/result.hpp"
#include "runtime_agent_ext/core/run.hpp"

#include <deque>
#include <string>
#include <vector>

namespace longhaul::runtime_agent_ext {

enum class Action : std::uint8_t {
    start_function,  // of `run`
    cancel_run,      // tell the function that `run` is to return
    terminate,       // SIGTERM to the function's group
    kill_tree,       // SIGKILL to all of it; answered by tree_killed()
    report_now,
    report_soon,  // may wait a second
    exit,         // the runtime agent itself
};

struct Step {
    Step(Action what, RunKey of = {}) : action(what), run(std::move(of)) {}

    Action action;
    RunKey run;  // of the first two

    friend bool operator==(const Step&, const Step&) = default;
};
using Actions = std::vector<Step>;

struct InstanceLimits {
    std::uint32_t fences_max = 1024;
    std::uint32_t progress_text_max = 1024;  // bytes
};

// How many runs a loaded instance serves at once, and whether it is heard when one that was told
// to return has done so.
struct Places {
    std::uint32_t count = 1;
    bool returns_are_heard = true;
};

class Instance {
public:
    explicit Instance(const InstanceLimits& limits);

    // Loads. `fingerprint` tells one load from another. True: begun; false: the same load is done
    // or on. Errc::conflict: another.
    [[nodiscard]] Result<bool> begin_load(TimePoint now, std::string fingerprint, Duration limit,
                                          Actions& out, Places places = {});
    void load_ended(TimePoint now, Result<void> result, Actions& out);
    // Nothing, or why the load failed.
    [[nodiscard]] const std::optional<Error>& load_error() const { return load_error_; }

    // Errc::conflict: types "fenced", "busy", "broken", "draining". The same again is a no-op.
    [[nodiscard]] Result<void> assign(Assignment assignment);
    // After the end of a run, and not where the instance is shared or done for: one run of the same
    // shard may start, under an owner not older than that run's, once the host agent passes
    // `run_token` on.
    void offer(std::string run_token);
    // What is open to anybody; nullptr: nothing.
    [[nodiscard]] const Assignment* offered() const;
    // Nobody may start. Errc::conflict, "busy": somebody has.
    [[nodiscard]] Result<void> unassign();

    // True: accepted, starts now. False: it is known. Errc::conflict: "fenced", "busy",
    // "not-assigned", "not-loaded". Errc::stale, "stale-owner": the offer is to a newer owner.
    [[nodiscard]] Result<bool> start(TimePoint now, const RunOrder& order, Actions& out);

    // What becomes of a live run; ignored where there is none of that key.
    void function_started(const RunKey& key, Actions& out);
    void first_byte(TimePoint now, const RunKey& key);
    void function_ended(TimePoint now, const RunKey& key, FunctionEnd end, Actions& out);
    void progress(TimePoint now, const RunKey& key, double percent, std::string message,
                  Actions& out);
    // The function gave a sign of life.
    void heartbeat(TimePoint now, const RunKey& key, Actions& out);
    // Nothing is left of the tree: the runs that stop have ended.
    void tree_empty(TimePoint now, Actions& out);
    // What SIGKILL came to: `found` processes were still there; `proven`: now none is.
    void tree_killed(TimePoint now, bool found, bool proven, Actions& out);
    // The serving process is gone, outside a run or during one.
    void break_down(TimePoint now, std::string why, Actions& out);

    // `reason` is the evidence of a stop for the host's sake.
    [[nodiscard]] StopVerdict stop(TimePoint now, const RunKey& key, const Token& token,
                                   StopMode mode, Duration grace, Actions& out,
                                   std::string reason = {});
    void kept(const std::vector<RunKey>& keys, Actions& out);
    // Takes no other assignment, and ends the agent once nothing runs or may still start, and every
    // end is kept. Again: runs that are on are stopped, with the grace of their timeout.
    void drain(TimePoint now, Actions& out);
    // Ends it at once: the tree is killed first.
    void destroy(TimePoint now, Actions& out);

    void tick(TimePoint now, Actions& out);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    [[nodiscard]] InstanceState state() const { return state_; }
    [[nodiscard]] bool draining() const { return draining_; }
    [[nodiscard]] bool is_shared() const { return places_.count > 1; }
    [[nodiscard]] const std::vector<Assignment>& assignments() const { return assignments_; }
    [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
    [[nodiscard]] const Run* find(const RunKey& key) const;
    [[nodiscard]] bool has_live() const { return live_count() > 0; }
    [[nodiscard]] std::size_t live_count() const;
    [[nodiscard]] const std::string& broken_because() const { return broken_because_; }
    void check_invariants() const;

private:
    [[nodiscard]] Run* find_live(const RunKey& key);
    [[nodiscard]] bool is_fenced(const RunKey& key) const;
    [[nodiscard]] bool is_unused(const Assignment& assignment) const;
    [[nodiscard]] bool is_another_attempt_live(const RunKey& key) const;
    [[nodiscard]] Result<void> may_start(const RunOrder& order) const;
    [[nodiscard]] Result<void> is_assigned(const RunOrder& order) const;
    void make_place();
    void forget_kept();
    void fence(const RunKey& key);
    void begin_stop(TimePoint now, Run& run, StopCause cause, Duration grace, Actions& out);
    void end_grace(TimePoint now, Run& run, Actions& out);
    void end_returned(TimePoint now, Run& run, const FunctionEnd& end, Actions& out);
    void terminate_if_nobody_stays(Actions& out);
    void end_run(TimePoint now, Run& run, AttemptOutcome outcome, Actions& out);
    void end_stopped(TimePoint now, Run& run, AttemptOutcome outcome, Actions& out);
    void set_broken(std::string why);
    [[nodiscard]] bool may_still_start() const;
    void exit_if_drained(Actions& out) const;

    // Constant after construction.
    const InstanceLimits limits_;

    InstanceState state_ = InstanceState::standby;
    bool draining_ = false;
    bool destroying_ = false;
    bool terminated_ = false;  // SIGTERM went to the whole group
    std::string broken_because_;

    Places places_;
    std::string load_fingerprint_;
    std::optional<TimePoint> load_until_;
    std::optional<Error> load_error_;

    std::vector<Assignment> assignments_;  // oldest first; those that were used name their run
    std::vector<Run> runs_;
    std::deque<RunKey> fences_;
};

}  // namespace longhaul::runtime_agent_ext
