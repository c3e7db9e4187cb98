#include "tests/sim/witness.hpp"

#include "longhaul/wire/run_headers.hpp"

#include <algorithm>
#include <cstdlib>

namespace longhaul::sim {
namespace {

// Longer than an invocation avoids hosts that refused it, and so lets others pass, and longer than
// it takes until what was decided is durable.
constexpr Duration kMayBePassed = std::chrono::seconds(20);

// On the way to the gateway, and until the dispatch is durable: so much later it may believe in a
// lease.
constexpr Duration kNewsMayTake = std::chrono::seconds(15);

}  // namespace

boost::asio::awaitable<Result<port::Position>> WatchedJournal::append(
    std::vector<std::string> records) {
    const std::vector<std::string> copy = records;
    auto appended = co_await journal_.append(std::move(records));
    if (appended) witness_.durable(copy);
    co_return appended;
}

void Witness::wrong(const char* invariant, const RunKey& key, const std::string& what) {
    notebook_.violation(invariant, key.first.text + "/" + std::to_string(key.second) + ": " + what);
}

void Witness::opened(port::Journal& journal) {
    std::vector<std::string> found;
    const auto replayed = journal.replay(1, [&found](port::Position, std::string_view bytes) {
        found.emplace_back(bytes);
        return Result<void>{};
    });
    if (!replayed) notebook_.violation("I12", replayed.error().message);
    if (found.size() < journal_.size() ||
        !std::equal(journal_.begin(), journal_.end(), found.begin()))
        notebook_.violation("I1", "of " + std::to_string(journal_.size()) +
                                      " durable records the journal does not have all");
    journal_.clear();
    known_.clear();
    functions_.clear();
    limits_ = first_limits_;
    keys_.clear();
    tokens_.clear();
    owed_.clear();
    dispatches_.clear();
    used_leases_.clear();  // the next life may be told of it again: it is let in once
    live_ = false;
    for (std::string& bytes : found) fold(bytes);
    journal_ = std::move(found);
    live_ = true;
    life_began_ = clock_.now();
    term_is_due_ = true;
}

void Witness::durable(const std::vector<std::string>& records) {
    for (const std::string& bytes : records) {
        fold(bytes);
        journal_.push_back(bytes);
    }
}

void Witness::fold(const std::string& bytes) {
    const auto record = gateway::decode_record(bytes);
    if (!record) {
        notebook_.violation("I12", "a record that cannot be read: " + record.error().message);
        return;
    }
    if (live_ && term_is_due_ && !std::holds_alternative<OwnerTermRecord>(*record))
        notebook_.violation("I8", "a life that writes before its owner term");
    term_is_due_ = false;
    if (change_of(*record))
        fold_change(*record);
    else
        fold_other(*record);
}

void Witness::fold_other(const Record& record) {
    if (const auto* term = std::get_if<OwnerTermRecord>(&record)) {
        if (live_ && term->term <= term_)
            notebook_.violation("I8", "an owner term that was used before");
        term_ = term->term;
    } else if (const auto* put = std::get_if<FunctionPutRecord>(&record)) {
        functions_[{put->tenant, put->function->name}].spec = put->function;
    } else if (const auto* pause = std::get_if<QueuePausedRecord>(&record)) {
        functions_[{pause->tenant, pause->function}].paused = pause->paused;
    } else if (const auto* put_limits = std::get_if<LimitsPutRecord>(&record)) {
        limits_ = put_limits->limits;
    } else if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        const Invocation& invocation = accepted->invocation;
        const std::string& key = invocation.options.idempotency_key;
        if (!key.empty() && !keys_.emplace(key, invocation.id).second)
            notebook_.violation("I2", "key " + key + " was accepted twice");
        if (invocation.options.not_before > invocation.created_at &&
            invocation.state != State::scheduled)
            wrong("I6", {invocation.id, 0}, "in line before its time");
        if (invocation.current()) check_dispatch(invocation, *invocation.current());
        if (!known_.emplace(invocation.id, Known{invocation, clock_.now()}).second)
            notebook_.violation("I2", invocation.id.text + " was accepted twice");
    }
}

void Witness::fold_change(const Record& record) {
    const Change& change = *change_of(record);
    const auto place = known_.find(change.id);
    const RunKey key{change.id, 0};
    if (place == known_.end()) return wrong("I1", key, "a change of what was never accepted");
    Invocation& invocation = place->second.invocation;
    if (is_terminal(invocation.state)) wrong("I4", key, "a change after the end");
    if (change.revision != invocation.revision + 1) wrong("I5", key, "a revision is skipped");
    if (const auto* dispatching = std::get_if<DispatchingRecord>(&record))
        check_dispatch(invocation, dispatching->attempt);
    if (const auto* intent = std::get_if<StopIntentRecord>(&record))
        if (intent->stop.cause <= invocation.stop.cause) wrong("I4", key, "a stop's cause falls");
    if (const auto* terminal = std::get_if<TerminalRecord>(&record))
        check_terminal(invocation, *terminal);
    if (const auto* ended = std::get_if<AttemptEndedRecord>(&record))
        check_retry(invocation, *ended);
    if (const auto* requeued = std::get_if<RequeuedRecord>(&record))
        check_in_line(invocation, *requeued);
    if (!apply(record, invocation)) wrong("I5", key, "a change that does not apply");
    place->second.queued_since = clock_.now();
}

void Witness::check_dispatch(const Invocation& before, const Attempt& attempt) {
    const RunKey key{before.id, attempt.number};
    if (!tokens_.insert(attempt.token.text).second) wrong("I3", key, "a token used before");
    if (!live_) return;
    const bool is_accept = before.current() != nullptr && before.current()->token == attempt.token;
    const Attempt* last = is_accept ? nullptr : before.current();
    if (last && last->number >= attempt.number) wrong("I3", key, "an attempt's number again");
    if (last && !last->outcome && !last->fenced) wrong("I3", key, "the attempt before goes on");
    const Running running = running_beside(before);
    check_limits(before, key, running);
    for (const RunKey& owed : owed_[attempt.host])
        if (attempt.dispatched_at > life_began_)
            wrong("I3", key, "sent to a host that is still owed the fence of " + owed.first.text);
    dispatches_[attempt.host].push_back(attempt.dispatched_at);
    check_line(before, running);
}

Witness::Running Witness::running_beside(const Invocation& invocation) const {
    Running running;
    for (const auto& [id, known] : known_) {
        const Invocation& other = known.invocation;
        if (!holds_slot(other.state)) continue;
        ++running.all;
        if (other.tenant != invocation.tenant) continue;
        ++running.of_tenant;
        if (other.function->name != invocation.function->name) continue;
        ++running.of_function;
        ++running.of_key[other.options.concurrency_key];
    }
    return running;
}

void Witness::check_limits(const Invocation& granted, const RunKey& key, const Running& running) {
    const Function& function = functions_[{granted.tenant, granted.function->name}];
    const std::string& of = granted.options.concurrency_key;
    if (function.paused) wrong("I7", key, "granted while its queue is paused");
    if (function.spec && running.of_function >= function.spec->max_running)
        wrong("I7", key, "granted at the limit of its function");
    const auto of_key = running.of_key.find(of);
    if (function.spec && !of.empty() && of_key != running.of_key.end() &&
        of_key->second >= function.spec->key_max_running)
        wrong("I7", key, "granted at the limit of its concurrency key");
    if (limits_.tenant_max > 0 && running.of_tenant >= limits_.tenant_max)
        wrong("I7", key, "granted at the limit of its tenant");
    if (running.all >= limits_.global_max) wrong("I7", key, "granted at the limit of the gateway");
}

// Within a function the more urgent go first, and of equals with the same key the oldest; but for
// those that were sent back a moment ago, and those whose key is at its limit. Keys of one priority
// take turns.
void Witness::check_line(const Invocation& granted, const Running& running) {
    const TimePoint now = clock_.now();
    if (life_began_ + kMayBePassed > now) return;
    for (const auto& [id, other] : known_)
        if (id != granted.id && other.queued_since + kMayBePassed <= now &&
            is_before(other.invocation, granted, running))
            wrong("fair", {granted.id, 0}, "passed " + id.text + ", which was before it");
}

bool Witness::is_before(const Invocation& waiting, const Invocation& granted,
                        const Running& running) {
    if (waiting.state != State::queued || waiting.tenant != granted.tenant) return false;
    if (waiting.function->name != granted.function->name) return false;
    const SubmitOptions& its = waiting.options;
    const SubmitOptions& options = granted.options;
    if (its.priority != options.priority) {
        if (its.priority > options.priority) return false;
        const Function& function = functions_[{granted.tenant, granted.function->name}];
        const std::uint32_t most = function.spec ? function.spec->key_max_running : 0;
        const auto of_key = running.of_key.find(its.concurrency_key);
        const bool is_full = most > 0 && !its.concurrency_key.empty() &&
                             of_key != running.of_key.end() && of_key->second >= most;
        return !is_full;
    }
    return its.concurrency_key == options.concurrency_key &&
           waiting.in_line_since() < granted.in_line_since();
}

TimePoint Witness::queued_since(const InvocationId& id) const {
    const auto place = known_.find(id);
    return place == known_.end() ? TimePoint{} : place->second.queued_since;
}

std::optional<TenantName> Witness::tenant_of(const InvocationId& id) const {
    const auto place = known_.find(id);
    if (place == known_.end()) return std::nullopt;
    return place->second.invocation.tenant;
}

void Witness::check_terminal(const Invocation& before, const TerminalRecord& record) {
    const RunKey key{before.id, record.end ? record.end->attempt : 0};
    if (record.stop && record.stop->cause == StopCause::cancel && record.stop->sigkill_sent &&
        record.change.state == State::cancelled)
        wrong("I10", key, "cancelled, though it was killed");
    if (live_ && record.stop && record.stop->confirmed && notebook_.lives(before.id))
        wrong("I10", key, "its stop is confirmed, and it runs");
    if (!record.end || !live_) return;
    if (record.end->outcome == AttemptOutcome::succeeded &&
        notebook_.truth(key) != AttemptOutcome::succeeded)
        wrong("I4", key, "succeeded, says the gateway; its run did not");
    if (record.end->outcome != AttemptOutcome::lost) return;
    check_lost(before, record.end->attempt,
               record.failure ? std::optional(record.failure->evidence) : std::nullopt);
}

// Lost by its host's own word, or by evidence, and then fenced before.
void Witness::check_lost(const Invocation& before, AttemptNumber number,
                         const std::optional<std::string>& evidence) {
    const Attempt* attempt = before.current();
    const RunKey key{before.id, number};
    if (notebook_.may_be_lost(key, attempt->instance)) return;
    if (!attempt->fenced) wrong("I3", key, "lost, and not fenced");
    const bool by_silence = evidence && evidence->find("silent") != std::string::npos;
    const bool stands = notebook_.lives(key) || notebook_.truth(key).has_value();
    if (stands && evidence && !by_silence)
        wrong("I3", key, "lost, says the gateway; its host has it");
    owed_[attempt->host].insert(key);
}

const Attempt* Witness::find(const RunKey& key) const {
    const auto place = known_.find(key.first);
    if (place == known_.end()) return nullptr;
    for (const Attempt& attempt : place->second.invocation.attempts)
        if (attempt.number == key.second) return &attempt;
    return nullptr;
}

void Witness::leaves(const std::string&, const port::PeerRequest& request) {
    if (request.target == "/v1/instances:take") {
        const auto take = wire::decode<wire::TakeRequest>(request.body);
        if (take)
            check_run("a take", {take->key.invocation, take->key.attempt}, take->token,
                      take->owner.term);
    } else if (request.target == "/v1/invocations") {
        check_start(request);
    } else if (request.target == "/v1/kill:batch") {
        const auto orders = wire::decode<std::vector<wire::KillOrder>>(request.body);
        if (orders)
            for (const wire::KillOrder& order : *orders) check_kill(order);
    } else if (request.target == "/v1/ack:batch") {
        const auto acks = wire::decode<std::vector<wire::Ack>>(request.body);
        if (acks)
            for (const wire::Ack& ack : *acks) check_ack(ack);
    }
}

void Witness::answered(const std::string& address, const port::PeerRequest& request) {
    if (request.target != "/v1/kill:batch") return;
    const auto orders = wire::decode<std::vector<wire::KillOrder>>(request.body);
    if (!orders) return;
    for (const wire::KillOrder& order : *orders)
        owed_[HostId{address}].erase({order.key.invocation, order.key.attempt});
}

void Witness::check_run(const char* what, const RunKey& key, const Token& token, OwnerTerm term) {
    const Attempt* attempt = find(key);
    if (term != term_) wrong("I8", key, std::string(what) + " under a term that is not durable");
    if (!attempt || attempt->token != token)
        return wrong("I8", key, std::string(what) + " before its dispatch is durable");
    if (attempt->outcome || attempt->fenced)
        wrong("I3", key, std::string(what) + " of an attempt that is over");
}

void Witness::check_start(const port::PeerRequest& request) {
    RunKey key{};
    Token token;
    OwnerTerm term = 0;
    std::string run_token;
    for (const auto& [name, value] : request.headers) {
        if (name == wire::run_headers::kInvocation) key.first.text = value;
        if (name == wire::run_headers::kAttempt)
            key.second = static_cast<AttemptNumber>(std::strtoull(value.c_str(), nullptr, 10));
        if (name == wire::run_headers::kToken) token.text = value;
        if (name == wire::run_headers::kOwnerTerm) term = std::strtoull(value.c_str(), nullptr, 10);
        if (name == "Authorization") run_token = value.substr(7);
    }
    check_run("a start", key, token, term);
    if (!run_token.starts_with("lease-")) return;
    const auto lease = leases_.find(run_token);
    if (lease != leases_.end() && lease->second + kNewsMayTake < clock_.now())
        wrong("lease", key, "a start under a lease that has lapsed");
    const auto [used, is_new] = used_leases_.emplace(run_token, key);
    if (!is_new && used->second != key)
        wrong("lease", key, "a lease that " + used->second.first.text + " was sent under");
}

void Witness::check_kill(const wire::KillOrder& order) {
    const RunKey key{order.key.invocation, order.key.attempt};
    const Attempt* attempt = find(key);
    if (!attempt || attempt->outcome || attempt->fenced) return;
    const Invocation& invocation = known_.at(key.first).invocation;
    if (order.mode == wire::KillMode::fence) {
        if (attempt->token == order.token) wrong("I8", key, "a fence that is not durable is told");
    } else if (invocation.stop.cause == StopCause::none) {
        wrong("I8", key, "a stop that is not durable is told");
    }
}

void Witness::check_ack(const wire::Ack& ack) {
    const RunKey key{ack.key.invocation, ack.key.attempt};
    const Attempt* attempt = find(key);
    if (attempt && !attempt->outcome && !attempt->fenced)
        wrong("I8", key, "an end is acknowledged that is not durable");
}

void Witness::shown(const Invocation& invocation) {
    const auto place = known_.find(invocation.id);
    if (place == known_.end() || place->second.invocation.revision < invocation.revision)
        wrong("I1", {invocation.id, 0}, "a reader is shown what is not durable");
}

void Witness::accepted(const InvocationId& id) {
    if (!known_.contains(id)) wrong("I1", {id, 0}, "accepted, and not durable");
}

}  // namespace longhaul::sim
