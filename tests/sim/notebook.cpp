#include "tests/sim/notebook.hpp"

#include "tests/sim/policies.hpp"

#include <cstdio>

namespace longhaul::sim {

void Notebook::trace(const std::string& text) const {
    if (!traces_) return;
    const auto since = clock_.now().time_since_epoch() % std::chrono::hours(1);
    std::fprintf(stderr, "%10.3f  %s\n", static_cast<double>(since.count()) / 1e6, text.c_str());
}

void Notebook::violation(const std::string& invariant, const std::string& text) {
    trace("VIOLATION " + invariant + ": " + text);
    if (wrong_.empty()) wrong_ = invariant + ": " + text;
}

void Notebook::accepted(const std::string& key, const std::string& body, const InvocationId& id,
                        bool replayed) {
    trace("client: key " + key + " is " + id.text + (replayed ? " (again)" : ""));
    const auto [place, is_new] = by_key_.emplace(key, id);
    if (!is_new && place->second != id)
        violation("I2", "key " + key + " was " + place->second.text + " and is now " + id.text);
    if (replayed) saw("repeated keys");
    Told& told = told_[id];
    told.id = id;
    told.key = key;
    told.body = body;
}

const InvocationId* Notebook::id_of(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second;
}

void Notebook::read(const Invocation& invocation) {
    const auto found = told_.find(invocation.id);
    if (found == told_.end()) return;
    Told& told = found->second;
    const std::string name = invocation.id.text + " (" + std::string(to_string(told.state)) +
                             " revision " + std::to_string(told.revision) + ", now " +
                             std::string(to_string(invocation.state)) + " revision " +
                             std::to_string(invocation.revision) + ")";
    if (invocation.revision < told.revision) violation("I5", "an older revision of " + name);
    if (invocation.revision == told.revision && invocation.state != told.state)
        violation("I5", "two states under one revision: " + name);
    if (invocation.revision == told.revision && !is_terminal(invocation.state) &&
        invocation.status_version < told.status_version)
        violation("I5", "an older status of " + name);
    const AttemptNumber attempt = invocation.current() ? invocation.current()->number : 0;
    if (attempt < told.attempt) violation("I5", "an older attempt of " + name);
    if (told.ended && (invocation.state != told.state || invocation.revision != told.revision))
        violation("I4", "changed after its end: " + name);
    const bool ended = is_terminal(invocation.state);
    if (told.stop_accepted && !ended && invocation.stop.cause < StopCause::cancel)
        violation("I1", "an accepted cancel was forgotten: " + name);
    if (ended && invocation.stop.confirmed && lives({invocation.id, attempt}))
        violation("I10", "stop confirmed, and it runs: " + name);
    told.revision = invocation.revision;
    told.status_version = invocation.status_version;
    told.attempt = attempt;
    told.state = invocation.state;
    told.has_result = invocation.result.has_value();
    if (ended && !told.ended) {
        told.ended = true;
        saw("ended as " + std::string(to_string(invocation.state)));
        if (invocation.failure) saw("reason " + std::string(to_string(invocation.failure->reason)));
        trace("client: " + invocation.id.text + " ended as " +
              std::string(to_string(invocation.state)) +
              (invocation.failure ? ": " + invocation.failure->message : std::string()));
    }
}

void Notebook::not_found(const InvocationId& id, const std::string& why) {
    if (told_.contains(id)) violation("I1", "accepted and not there: " + id.text + ": " + why);
}

void Notebook::stop_accepted(const InvocationId& id) { told_[id].stop_accepted = true; }

void Notebook::run_began(const std::string& host, const RunKey& run, const std::string& body) {
    const std::string name = run.first.text + "/" + std::to_string(run.second) + " on " + host;
    trace("run: " + name + " begins");
    saw("runs");
    if (!begun_.insert(run).second) violation("I3", "an attempt was run twice: " + name);
    const std::uint32_t most = starts_max(body);
    if (++starts_[run.first] > most) violation("I3", "the function was run too often: " + name);
    if (lives(run.first)) {
        // Only where a loss may be tried again, and its host was believed lost and comes back.
        if (most == 1) violation("I3", "a second run at the same time: " + name);
        saw("runs beside one that was lost");
    }
    live_.insert(run);
    in_doubt_.erase(run);
    std::set<InvocationId>& ids = run_by_body_[body];
    ids.insert(run.first);
    if (ids.size() > 1) violation("I2", "one key ran under two ids: " + name);
}

void Notebook::run_gone(const RunKey& run) { live_.erase(run); }

void Notebook::run_forgotten(const RunKey& run) {
    live_.erase(run);
    truth_.erase(run);
}

bool Notebook::may_be_lost(const RunKey& run, const InstanceId& sent_to) const {
    return truth(run) == AttemptOutcome::lost || in_doubt_.contains(run) ||
           (!begun_.contains(run) && gone_.contains(sent_to));
}

std::optional<AttemptOutcome> Notebook::truth(const RunKey& run) const {
    const auto found = truth_.find(run);
    return found == truth_.end() ? std::nullopt : std::optional(found->second);
}

bool Notebook::lives(const InvocationId& id) const {
    const auto place = live_.lower_bound(RunKey{id, 0});
    return place != live_.end() && place->first == id;
}

}  // namespace longhaul::sim
