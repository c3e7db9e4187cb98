#include "runtime_agent_ext/driver/entry.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

wire::Rank rank_of(RunRank rank) {
    switch (rank) {
    case RunRank::starting: return wire::Rank::starting;
    case RunRank::running: return wire::Rank::running;
    case RunRank::stopping: return wire::Rank::stopping;
    case RunRank::ended: break;
    }
    return wire::Rank::ended;
}

double milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

wire::ResultReference reference_of(const Content& content) {
    wire::ResultReference reference;
    reference.is_inline = content.file.empty();
    reference.bytes = content.inline_bytes;
    reference.size = content.size;
    reference.sha256 = content.sha256;
    reference.content_type = content.content_type;
    return reference;
}

}  // namespace

wire::StatusEntry entry_of(const Run& run, const EntryIdentity& identity, TimePoint now) {
    wire::StatusEntry entry;
    entry.key = wire_key(run.key);
    entry.token = run.token;
    entry.incarnation = identity.incarnation;
    entry.instance = identity.instance;
    entry.version = run.version;
    entry.rank = rank_of(run.rank);
    entry.stop_cause = run.stop_cause;
    entry.sigkill_sent = run.sigkill_sent;
    entry.tree_gone = run.tree_gone;
    entry.started_ms_ago = to_ms(now - run.started_at);
    entry.progress = run.progress;
    if (run.first_byte_at)
        entry.trace.emplace_back("first_byte", milliseconds(*run.first_byte_at - run.started_at));
    entry.silent = run.silent && run.is_live();
    if (run.is_live()) return entry;
    entry.outcome = run.outcome;
    entry.reason = run.end.reason;
    entry.message = run.end.message;
    entry.error_type = run.end.error_type;
    entry.exit_code = run.end.exit_code;
    entry.signal = run.end.signal;
    entry.http_status = run.end.http_status;
    if (run.end.retry_after) entry.retry_after_ms = to_ms(*run.end.retry_after);
    entry.oom = run.end.oom;
    entry.usage = run.end.usage;
    if (run.end.result) entry.result = reference_of(*run.end.result);
    entry.ended_ms_ago = to_ms(now - *run.ended_at);
    return entry;
}

wire::AttemptKey wire_key(const RunKey& key) { return {key.invocation, key.attempt}; }

RunKey run_key(const wire::AttemptKey& key) { return {key.invocation, key.attempt}; }

std::string_view state_text(const Instance& instance) {
    if (instance.state() == InstanceState::broken) return "broken";
    if (instance.draining()) return "draining";
    switch (instance.state()) {
    case InstanceState::standby: return "standby";
    case InstanceState::loading: return "loading";
    case InstanceState::loaded: return "loaded";
    case InstanceState::busy: return "busy";
    case InstanceState::broken: break;
    }
    return "broken";
}

StopMode stop_mode(wire::KillMode mode) {
    switch (mode) {
    case wire::KillMode::cancel: return StopMode::cancel;
    case wire::KillMode::timeout: return StopMode::timeout;
    case wire::KillMode::fence: return StopMode::fence;
    case wire::KillMode::drain: return StopMode::host;
    case wire::KillMode::kill: break;
    }
    return StopMode::kill;
}

wire::KillOutcome kill_outcome(StopVerdict verdict) {
    switch (verdict) {
    case StopVerdict::stopping: return wire::KillOutcome::stopping;
    case StopVerdict::fenced: return wire::KillOutcome::fenced;
    case StopVerdict::ended: return wire::KillOutcome::ended;
    case StopVerdict::wrong_token: break;
    }
    return wire::KillOutcome::stale;
}

}  // namespace longhaul::runtime_agent_ext
