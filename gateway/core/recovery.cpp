// Starting from records, and what hosts answer about the attempts that records name.
#include "gateway/core/scheduler.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/mutant.hpp"

#include <algorithm>
#include <vector>

namespace longhaul::gateway {
namespace {

constexpr int kStatusVersionBits = 24;  // changes within one revision under one owner term

}  // namespace

void Scheduler::load_function(const TenantName& tenant,
                              std::shared_ptr<const FunctionSpec> function, bool paused,
                              TimePoint updated_at) {
    FunctionQueue& queue = functions_[{tenant, function->name}];
    queue.tenant = tenant;
    queue.name = function->name;
    if (!queue.owner) fair_.join(queue, tenant);
    queue.current = std::move(function);
    queue.paused = paused;
    queue.updated_at = updated_at;
    set_limits(queue);
}

void Scheduler::load_invocation(Invocation invocation) {
    LH_ASSERT(!begun_);
    // Equal versions are one value again, as when they were accepted.
    const auto queue = functions_.find({invocation.tenant, invocation.function->name});
    if (queue != functions_.end() && queue->second.current &&
        queue->second.current->version == invocation.function->version)
        invocation.function = queue->second.current;
    if (!mutant(Mutant::key_not_recovered)) remember(invocation);
    if (Entry* known = find_entry(invocation.id))
        known->invocation = std::move(invocation);
    else
        entries_.add(std::move(invocation));
    entries_.pack();
}

void Scheduler::replayed(const Record& record) {
    LH_ASSERT(!begun_);
    if (std::holds_alternative<StopIntentRecord>(record) &&
        mutant(Mutant::stop_intent_not_recovered))
        return;
    if (const auto* term = std::get_if<OwnerTermRecord>(&record)) {
        owner_term_ = std::max(owner_term_, term->term);
    } else if (const auto* put = std::get_if<FunctionPutRecord>(&record)) {
        const FunctionQueue* old = function(put->tenant, put->function->name);
        load_function(put->tenant, put->function, old && old->paused, put->at);
    } else if (const auto* deleted = std::get_if<FunctionDeletedRecord>(&record)) {
        const auto found = functions_.find({deleted->tenant, deleted->function});
        if (found == functions_.end()) return;
        fair_.quit(found->second);
        functions_.erase(found);
    } else if (const auto* limits = std::get_if<LimitsPutRecord>(&record)) {
        run_limits_ = limits->limits;
    } else if (const auto* pause = std::get_if<QueuePausedRecord>(&record)) {
        const auto found = functions_.find({pause->tenant, pause->function});
        if (found == functions_.end()) return;
        found->second.paused = pause->paused;
        set_limits(found->second);
    } else if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        // The view may have had it, and further on already.
        if (!entries_.find(accepted->invocation.id)) load_invocation(accepted->invocation);
    } else if (std::holds_alternative<PurgedRecord>(record)) {
        // It stays, and with it its key, until the view has taken it out.
    } else if (Entry* entry = find_entry(*invocation_of(record))) {
        longhaul::apply(record, entry->invocation);
        entries_.pack();
    }
}

void Scheduler::begin(TimePoint now, Outcome& out) {
    LH_ASSERT(!begun_);
    last_now_ = now;
    fair_.set_tenant_max(run_limits_.tenant_max);
    if (!mutant(Mutant::owner_term_kept)) ++owner_term_;
    if (!mutant(Mutant::term_not_first)) out.records.push_back(OwnerTermRecord{0, owner_term_});

    std::vector<std::pair<TimePoint, Seat*>> live;
    entries_.for_each([&live](Seat& seat) {
        if (!is_terminal(EntryTable::state(seat)))
            live.emplace_back(EntryTable::in_line_since(seat), &seat);
    });
    std::ranges::sort(live, [](const auto& left, const auto& right) {
        return left.first != right.first ? left.first < right.first
                                         : left.second->id < right.second->id;
    });
    for (const auto& [since, seat] : live) {
        seat->ticket = next_ticket_++;  // as before: who was in line first is first
        Entry& entry = entries_.whole(*seat);
        // Above what any reader saw under an earlier term (I5).
        if (!mutant(Mutant::status_version_restarts))
            entry.invocation.status_version = owner_term_ << kStatusVersionBits;
        // A take that the last owner sent has been answered by now or never reached the host.
        entry.take_is_answered = true;
        entry.take_answered_at = TimePoint{};
        place(now, entry);
        if (mutant(Mutant::timers_not_recovered)) deadlines_.clear(*seat);
        entries_.pack();
    }
    begun_ = true;
}

// What runs on a host that was silent is no longer suspect, if the host is not, nor its function.
void Scheduler::heal(const HostId& id, Outcome& out) {
    const Host* host = hosts_.find(id);
    if (host->suspect) return;  // it was an older life of it that spoke
    for (const auto& [invocation, attempt] : host->attempts) {
        Entry* entry = find_entry(invocation);
        LH_ASSERT(entry != nullptr);
        entry->invocation.suspect = entry->is_silent;
        changed(*entry, out);
    }
}

// A fence that could not be told comes first, then questions; work only after that.
void Scheduler::heard(const HostId& id, const HostTable::Heard& heard, Outcome& out) {
    if (!heard.accepted) return;
    if (heard.returned) heal(id, out);
    if (!heard.asks) return;
    const Host* host = hosts_.find(id);
    for (const auto& [attempt, owed] : host->fences) {
        StopEffect effect;
        effect.id = attempt.first;
        effect.attempt = attempt.second;
        effect.token = owed.token;
        effect.instance = owed.instance;
        effect.host = id;
        effect.host_address = host->news.address;
        effect.fence = true;
        out.effects.push_back(std::move(effect));
    }
    if (hosts_.question(id)) out.effects.push_back(AskEffect{id});
}

void Scheduler::host_news(TimePoint now, const HostNews& news, Outcome& out) {
    last_now_ = now;
    const HostTable::Heard what = hosts_.announce(now, news);
    heard(news.host, what, out);
    const Host* host = hosts_.find(news.host);
    // While more is to be asked the two cannot mean the same.
    if (what.accepted && news.digest && !mutant(Mutant::digest_ignored) &&
        host->question == Question::none && *news.digest != digest_of(*host))
        hosts_.ask_later(news.host, Question::digest, now + limits_.hosts.digest_again);
    if (what.room) grant(now, out);
}

AttemptDigest Scheduler::digest_of(const Host& host) const {
    AttemptDigest digest;
    for (const auto& [id, attempt] : host.attempts) {
        const Entry& entry = *find_whole(id);
        if (entry.take_is_answered) digest.add(id, attempt, entry.rank);
    }
    return digest;
}

void Scheduler::host_batch(TimePoint now, const HostId& host, Epoch epoch,
                           std::optional<std::uint64_t> prev_seq, std::uint64_t last_seq,
                           Outcome& out) {
    last_now_ = now;
    const HostTable::Heard what = hosts_.advance(now, host, epoch, prev_seq, last_seq);
    heard(host, what, out);
    if (what.room) grant(now, out);
}

std::optional<HostQuestion> Scheduler::question(const HostId& id) const {
    auto question = hosts_.question(id);
    if (!question) return question;
    for (const auto& [invocation, number] : question->names) {
        const Entry* entry = find_whole(invocation);
        const Attempt* attempt = entry ? entry->invocation.current() : nullptr;
        const bool is_it = attempt != nullptr && attempt->number == number;
        question->instances.push_back(is_it ? attempt->instance : InstanceId{});
    }
    return question;
}

void Scheduler::ask_all(TimePoint now, Outcome& out) {
    last_now_ = now;
    for (const auto& [id, host] : hosts_.all()) {
        if (host.attempts.empty()) continue;
        hosts_.ask(id, Question::snapshot);
        out.effects.push_back(AskEffect{id});
    }
}

void Scheduler::host_silent(TimePoint now, const HostId& host) {
    hosts_.put_off(host, now + limits_.ask_again);
}

// The host has it but may not have had our last word: what the last owner sent, or was about to
// send, is sent again. Starts and stops are idempotent.
void Scheduler::remind(const AttemptReport& known, Outcome& out) {
    Entry* entry = find_attempt(known.id, known.attempt);
    if (!entry || entry->awaits_result() || known.rank == kRankEnded) return;
    if (entry->invocation.state == State::stopping && !mutant(Mutant::stop_not_repeated))
        send_stop(*entry, out);
    // What its runtime agent has told before its host heard of it has started.
    const bool may_lack_start = known.rank < kRankStarting && entry->rank < kRankStarting;
    if (entry->invocation.state == State::dispatching && may_lack_start)
        start(*entry, out, {}, /*is_repeat=*/true);
}

void Scheduler::host_answered(TimePoint now, const HostAnswer& answer, Outcome& out) {
    last_now_ = now;
    const Host* host = hosts_.find(answer.host);
    if (!host) return;
    if (answer.epoch < host->news.epoch) {
        hosts_.put_off(answer.host, now + limits_.ask_again);  // it was born again meanwhile
        return;
    }
    for (const AttemptReport& known : answer.reports) {
        report(now, known, out);
        remind(known, out);
    }
    bool is_unproven = false;
    for (const auto& [id, attempt] : answer.unknown) {
        Entry* entry = find_attempt(id, attempt);
        if (!entry || entry->awaits_result() || entry->invocation.current()->host != answer.host)
            continue;
        // Not every instance was found yet, or it may have started since: absence is no evidence.
        const bool is_complete = answer.complete || mutant(Mutant::incomplete_is_absent);
        if (!is_complete || !judge_absent(now, *entry, answer, out)) is_unproven = true;
    }
    const TimePoint again_at = now + limits_.ask_again;
    if (answer.epoch != host->news.epoch)
        hosts_.put_off(answer.host, again_at);  // of a life that did not announce itself yet
    else
        hosts_.answered(now, answer, is_unproven, again_at);
    // Twice they did not mean the same.
    if (answer.asked == Question::digest && answer.digest && host->question == Question::none &&
        *answer.digest != digest_of(*host))
        hosts_.ask(answer.host, Question::snapshot);
    grant(now, out);
}

// The host has found all its instances and does not know the attempt.
bool Scheduler::judge_absent(TimePoint now, Entry& entry, const HostAnswer& answer, Outcome& out) {
    // Absence counts only for what the host had answered for before it was asked.
    // What has started meanwhile, unknown to the host when it was asked, is asked about again.
    if ((!entry.take_is_answered || entry.take_answered_at > answer.asked_at) &&
        !mutant(Mutant::absent_at_once))
        return entry.invocation.state != State::running;
    switch (entry.invocation.state) {
    case State::dispatching:
        start(entry, out);  // never seen there: the same attempt, the same token
        break;
    case State::stopping:
        send_stop(entry, out);  // of an unknown attempt this is a fence
        break;
    default:
        lose(now, entry,
             "host " + answer.host.text + " (epoch " + std::to_string(answer.epoch) +
                 ") found all its instances and does not know the attempt",
             out);
    }
    return true;
}

}  // namespace longhaul::gateway
