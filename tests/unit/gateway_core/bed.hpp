// A small language about the scheduler: submit, host, started, ended, tick, cancel, restart, …
//
// After every step the bed checks what must always hold: the scheduler's own invariants, the limits
// (I7), one unfenced attempt (I3), terminal for ever (I4), revisions that rise by one (I5), nothing
// overdue after a tick (I6), and that the records alone, applied in order, give the same again.
#pragma once

#include "gateway/core/scheduler.hpp"
#include "tests/support/catch.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::gateway::test {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline const TenantName kTenant{"acme"};

struct Submit {
    std::string function = "f";
    std::string id{};   // "" = one is drawn
    std::string key{};  // idempotency key
    std::string fingerprint = "one body";
    TenantName tenant = kTenant;
    std::optional<Duration> timeout{};
    std::optional<Duration> queue_ttl{};
    std::optional<TimePoint> deadline{};
    std::string body_file{};
    std::uint8_t priority = 3;
    std::string concurrency_key{};
    std::uint64_t body_size = 0;
    std::optional<TimePoint> not_before{};
    std::optional<std::uint32_t> retry_max_attempts{};
};

// What a host says about an attempt; the rest is filled from what is known.
struct Say {
    std::uint8_t rank = kRankRunning;
    std::uint64_t version = 0;  // 0 = newer than the last
    AttemptNumber attempt = 0;  // 0 = the current one
    std::string token{};        // "" = the right one
    std::optional<TimePoint> started_at{};
    std::optional<ReportedEnd> end{};
    std::optional<Progress> progress{};
    bool silent = false;
};

class Bed {
public:
    explicit Bed(SchedulerLimits limits = {});

    // --- The world. ---
    FunctionSpec spec(const std::string& name) const;
    void function(FunctionSpec spec, const TenantName& tenant = kTenant);
    void function(const std::string& name, std::uint32_t max_running = 10);
    // An announcement; a new epoch or a newer sequence if asked for.
    void host(const std::string& name, std::uint32_t instances = 100, Epoch epoch = 1,
              std::uint64_t last_seq = 0);
    void announce(const HostNews& news);
    void tick(Duration by = Duration::zero());
    // Time passes in small ticks, in which no host is heard.
    void silence(Duration span);

    // --- Callers. ---
    InvocationId submit(const std::string& function = "f");
    Result<SubmitAnswer> try_submit(const Submit& what);
    Result<void> cancel(const InvocationId& id, std::optional<Duration> grace = {});
    Result<void> kill(const InvocationId& id);

    // --- Attempts. ---
    void started(const InvocationId& id);
    void ended(const InvocationId& id, AttemptOutcome outcome = AttemptOutcome::succeeded);
    void ended(const InvocationId& id, ReportedEnd end);
    void say(const InvocationId& id, const Say& what);
    void take_answered(const InvocationId& id);
    void refused(const InvocationId& id, RouteFailure why = RouteFailure::refused);
    void load_failed(const InvocationId& id);
    void stop_was_fence(const InvocationId& id);
    void result_copied(const InvocationId& id, Result<Content> result);

    // --- Hosts answer questions. ---
    AttemptReport report_of(const InvocationId& id, const Say& what) const;
    void answer(const std::string& host, Epoch epoch, bool complete,
                std::vector<AttemptReport> reports, std::vector<InvocationId> unknown);

    // The process dies; a new one replays every record, or `after` of them from a loaded state.
    void restart(std::size_t from_view = 0);

    // --- What may be looked at. ---
    Invocation of(const InvocationId& id) const;
    State state(const InvocationId& id) const { return of(id).state; }
    AttemptNumber attempt(const InvocationId& id) const { return of(id).current()->number; }
    WaitInfo wait(const InvocationId& id) const { return scheduler->wait_info(of(id)); }
    // Effects of the last step.
    template <class E>
    std::vector<E> effects() const {
        std::vector<E> found;
        for (const Effect& effect : out.effects)
            if (const auto* wanted = std::get_if<E>(&effect)) found.push_back(*wanted);
        return found;
    }
    template <class E>
    bool said() const {
        return !effects<E>().empty();
    }
    template <class R>
    std::vector<R> records() const {
        std::vector<R> found;
        for (const Record& record : out.records)
            if (const auto* wanted = std::get_if<R>(&record)) found.push_back(*wanted);
        return found;
    }
    bool nothing_changed() const { return out.records.empty(); }
    std::vector<InvocationId> in_state(State state) const;

    // One step: runs `call` and checks everything.
    template <class Call>
    auto step(Call call) {
        out.clear();
        if constexpr (std::is_void_v<decltype(call())>) {
            call();
            check();
        } else {
            auto answer = call();
            check();
            return answer;
        }
    }
    void check();

    TimePoint now{std::chrono::seconds(1'800'000'000)};
    Outcome out;                                // of the last step
    std::vector<Record> journal;                // of all steps
    std::map<InvocationId, Invocation> mirror;  // what the records add up to
    SchedulerLimits limits;
    std::unique_ptr<Scheduler> scheduler;

private:
    void mirror_record(const Record& record);
    void compare(const Invocation& live, const Invocation& recorded) const;
    void check_limits() const;

    std::uint64_t next_id_ = 1;
    std::uint64_t next_version_ = 1;
    std::uint64_t token_seed_ = 1;
};

ReportedEnd end_with(AttemptOutcome outcome);
// A stop that the host carried out, the tree gone.
ReportedEnd stopped_with(AttemptOutcome outcome, StopCause cause, bool sigkill);

}  // namespace longhaul::gateway::test
