// What one simulated history has shown: what was wrong with it, what happened in it, what clients
// were told, what ran where.
//
// A violation never throws: it may be found in the middle of any coroutine. The run looks at
// wrong() after each step.
#pragma once

#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/port/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace longhaul::sim {

using RunKey = std::pair<InvocationId, AttemptNumber>;

// What a client was told of one invocation, and so may rely on.
struct Told {
    InvocationId id{};
    std::string key{};
    std::string body{};
    bool stop_accepted = false;
    std::uint32_t revision = 0;
    std::uint64_t status_version = 0;
    AttemptNumber attempt = 0;
    State state = State::queued;
    bool ended = false;
    bool has_result = false;
};

class Notebook {
public:
    Notebook(const port::Clock& clock, bool traces) : clock_(clock), traces_(traces) {}

    void trace(const std::string& text) const;
    [[nodiscard]] bool traces() const { return traces_; }
    void violation(const std::string& invariant, const std::string& text);
    [[nodiscard]] const std::string& wrong() const { return wrong_; }
    // "Sometimes" this happens; a default run in which an important one never does is a failure.
    void saw(const std::string& what) { ++seen_[what]; }
    [[nodiscard]] const std::map<std::string, std::uint64_t>& seen() const { return seen_; }

    // --- Clients. ---
    void accepted(const std::string& key, const std::string& body, const InvocationId& id,
                  bool replayed);
    // A read: I1 (it is there), I4, I5, I10.
    void read(const Invocation& invocation);
    void not_found(const InvocationId& id, const std::string& why);
    void stop_accepted(const InvocationId& id);
    [[nodiscard]] std::map<InvocationId, Told>& told() { return told_; }
    [[nodiscard]] const InvocationId* id_of(const std::string& key) const;

    // --- Hosts. ---
    void run_began(const std::string& host, const RunKey& run, const std::string& body);
    void run_gone(const RunKey& run);
    void run_ended(const RunKey& run, AttemptOutcome outcome) { truth_[run] = outcome; }
    // Nobody is left who knows of it: how it ended is no more to be had.
    void run_forgotten(const RunKey& run);
    // Its instance died with what only it knew: the run did not start, or ended and was not kept.
    void run_in_doubt(const RunKey& run) { in_doubt_.insert(run); }
    void instance_gone(const InstanceId& id) { gone_.insert(id); }
    // Whether its host, asked for a run that was sent to that instance, may say that it is lost.
    [[nodiscard]] bool may_be_lost(const RunKey& run, const InstanceId& sent_to) const;
    // How the run ended in fact.
    [[nodiscard]] std::optional<AttemptOutcome> truth(const RunKey& run) const;
    [[nodiscard]] bool lives(const InvocationId& id) const;
    [[nodiscard]] bool lives(const RunKey& run) const { return live_.contains(run); }
    [[nodiscard]] std::size_t live_runs() const { return live_.size(); }
    [[nodiscard]] const std::map<InvocationId, std::uint32_t>& starts() const { return starts_; }

private:
    const port::Clock& clock_;
    const bool traces_;
    std::string wrong_;
    std::map<std::string, std::uint64_t> seen_;
    std::map<InvocationId, Told> told_;
    std::map<std::string, InvocationId> by_key_;
    std::map<std::string, std::set<InvocationId>> run_by_body_;
    std::map<InvocationId, std::uint32_t> starts_;
    std::set<RunKey> begun_;
    std::set<RunKey> live_;
    std::map<RunKey, AttemptOutcome> truth_;
    std::set<RunKey> in_doubt_;
    std::set<InstanceId> gone_;
};

}  // namespace longhaul::sim
