#include "tests/unit/gateway/history_maker.hpp"

#include <algorithm>

namespace longhaul::test {
namespace {

using gateway::ListQuery;
using gateway::PositionedRecord;

const std::vector<std::string> kTenants{"default", "other"};
const std::vector<std::string> kFunctions{"resize", "report", "re"};
const std::vector<std::string> kColours{"red", "blue", ""};
const std::vector<State> kEnds{State::succeeded, State::failed,  State::timed_out,
                               State::cancelled, State::killed, State::expired};

const std::string& pick(const std::vector<std::string>& from, SeededRandom& random) {
    return from.at(random.below(from.size()));
}

std::shared_ptr<const FunctionSpec> make_function(const std::string& name, std::uint64_t number) {
    FunctionSpec spec;
    spec.name = {name};
    spec.version = {"sha256:" + std::to_string(number)};
    spec.command = {"true", std::to_string(number)};
    return std::make_shared<FunctionSpec>(std::move(spec));
}

}  // namespace

PositionedRecord HistoryMaker::next() {
    // Several share a moment, so that lists must fall back on the id.
    if (random_.chance(0.6)) now_ += std::chrono::milliseconds(random_.below(50));
    ++position_;
    const std::string& name = pick(kFunctions, random_);
    const TenantName tenant{pick(kTenants, random_)};
    const std::uint64_t dice = random_.below(100);
    if (dice < 2)
        return {position_, FunctionPutRecord{tenant, make_function(name, position_), now_}};
    if (dice < 3) return {position_, FunctionDeletedRecord{tenant, {name}, now_}};
    if (dice < 4) return {position_, QueuePausedRecord{tenant, {name}, random_.chance(0.5)}};
    if (dice < 5)
        return {position_,
                LimitsPutRecord{{.global_max = static_cast<std::uint32_t>(1 + accepted_ % 100)}}};
    if (dice < 6) return {position_, OwnerTermRecord{.shard = 0, .term = position_}};
    if (live_.empty() || dice < 35) return {position_, accept()};
    const std::size_t index = random_.below(live_.size());
    Record record = advance(live_[index]);
    longhaul::apply(record, live_[index]);
    if (is_terminal(live_[index].state))
        live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(index));
    return {position_, std::move(record)};
}

std::vector<PositionedRecord> HistoryMaker::next(std::size_t count) {
    std::vector<PositionedRecord> records;
    while (records.size() < count) records.push_back(next());
    return records;
}

Record HistoryMaker::accept() {
    Invocation invocation;
    invocation.id = {"id-" + std::to_string(random_.below(10)) + "-" + std::to_string(++accepted_)};
    invocation.tenant = {pick(kTenants, random_)};
    invocation.function = make_function(pick(kFunctions, random_), accepted_ % 3);
    invocation.created_at = now_;
    invocation.deadline = now_ + std::chrono::hours(25);
    if (random_.chance(0.3)) invocation.body.file = hex(0, accepted_ % 40);
    if (random_.chance(0.5)) invocation.options.labels = {{"colour", pick(kColours, random_)}};
    if (random_.chance(0.3)) invocation.options.labels.emplace_back("size", "big");
    if (random_.chance(0.3))
        invocation.options.idempotency_key = "key-" + std::to_string(accepted_);
    live_.push_back(invocation);
    return AcceptedRecord{std::move(invocation)};
}

Record HistoryMaker::advance(Invocation& invocation) {
    Change change{.id = invocation.id,
                  .revision = invocation.revision + 1,
                  .at = now_,
                  .state = invocation.state};
    const auto number = static_cast<AttemptNumber>(invocation.attempts.size());
    switch (random_.below(6)) {
        case 0:
            change.state = State::dispatching;
            return DispatchingRecord{change,
                                     {.number = number + 1, .host = {"h1"}, .dispatched_at = now_},
                                     0};
        case 1:
            change.state = State::running;
            return StartedRecord{change, number, {"i1"}, {{"load", 1.5}}};
        case 2:
            change.state = State::queued;
            return RequeuedRecord{change, 1};
        case 3:
            change.state = State::stopping;
            return StopIntentRecord{
                change, {.cause = StopCause::cancel, .by = "api", .reason = "typo", .at = now_}};
        case 4: return FencedRecord{change, number};
        default: return end(change, invocation);
    }
}

Record HistoryMaker::end(const Change& before, const Invocation& invocation) {
    TerminalRecord record{.change = before};
    record.change.state = kEnds.at(random_.below(kEnds.size()));
    if (record.change.state == State::succeeded) {
        record.result = Content{.inline_bytes = "ok", .size = 2};
        if (random_.chance(0.3)) record.result->file = hex(1, accepted_ + invocation.revision);
    } else {
        record.failure = Failure{.reason = FailureReason::exit, .message = "exit code 1"};
    }
    return record;
}

void ViewModel::apply(const std::vector<PositionedRecord>& records) {
    for (const auto& [position, record] : records) {
        if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
            invocations[accepted->invocation.id.text] = accepted->invocation;
            history_lines[accepted->invocation.id.text] = 1;
        } else if (const Change* change = change_of(record)) {
            const auto found = invocations.find(change->id.text);
            if (found == invocations.end()) continue;
            if (longhaul::apply(record, found->second)) ++history_lines[change->id.text];
        } else {
            apply_single(record);
        }
    }
}

void ViewModel::apply_single(const Record& record) {
    const auto key = [](const TenantName& tenant, const FunctionName& name) {
        return tenant.text + "/" + name.text;
    };
    if (const auto* put = std::get_if<FunctionPutRecord>(&record)) {
        gateway::StoredFunction& function = functions[key(put->tenant, put->function->name)];
        function.tenant = put->tenant;
        function.current = put->function;
        function.updated_at = put->at;
    } else if (const auto* deleted = std::get_if<FunctionDeletedRecord>(&record)) {
        functions.erase(key(deleted->tenant, deleted->function));
    } else if (const auto* paused = std::get_if<QueuePausedRecord>(&record)) {
        const auto found = functions.find(key(paused->tenant, paused->function));
        if (found != functions.end()) found->second.paused = paused->paused;
    } else if (const auto* put_limits = std::get_if<LimitsPutRecord>(&record)) {
        limits = put_limits->limits;
    } else if (const auto* term = std::get_if<OwnerTermRecord>(&record)) {
        owner_term = term->term;
    }
}

std::vector<std::string> ViewModel::live_ids() const {
    std::vector<std::string> ids;
    for (const auto& [id, invocation] : invocations)
        if (!is_terminal(invocation.state)) ids.push_back(id);
    return ids;
}

std::vector<Invocation> ViewModel::list(const ListQuery& query) const {
    const auto place = [](const Invocation& invocation) {
        return std::make_pair(invocation.created_at, invocation.id);
    };
    const auto wanted = [&](const Invocation& invocation) {
        if (!is_terminal(invocation.state) || invocation.tenant != query.tenant) return false;
        if (query.function && invocation.function->name != *query.function) return false;
        const auto& states = query.states;
        if (!states.empty() && std::ranges::count(states, invocation.state) == 0) return false;
        for (const auto& label : query.labels)
            if (std::ranges::count(invocation.options.labels, label) == 0) return false;
        if (query.since && invocation.created_at < *query.since) return false;
        if (query.until && invocation.created_at >= *query.until) return false;
        if (!query.after) return true;
        return query.newest_first ? place(invocation) < *query.after
                                  : place(invocation) > *query.after;
    };
    std::vector<Invocation> found;
    for (const auto& [id, invocation] : invocations)
        if (wanted(invocation)) found.push_back(invocation);
    std::ranges::sort(found, [&](const Invocation& a, const Invocation& b) {
        return query.newest_first ? place(a) > place(b) : place(a) < place(b);
    });
    return found;
}

std::set<std::string> ViewModel::files() const {
    std::set<std::string> files;
    for (const auto& [id, invocation] : invocations) {
        files.insert(invocation.body.file);
        if (invocation.result) files.insert(invocation.result->file);
    }
    files.erase("");
    return files;
}

void ViewModel::purge(TimePoint before, std::uint32_t max) {
    std::set<std::pair<TimePoint, std::string>> due;
    for (const auto& [id, invocation] : invocations)
        if (is_terminal(invocation.state) && *invocation.ended_at < before)
            due.emplace(*invocation.ended_at, id);
    for (const auto& [ended_at, id] : due) {
        if (max-- == 0) return;
        invocations.erase(id);
        history_lines.erase(id);
        purged.insert(id);
    }
}

ListQuery random_query(SeededRandom& random) {
    ListQuery query;
    query.tenant = {pick(kTenants, random)};
    if (random.chance(0.5)) query.function = FunctionName{pick(kFunctions, random)};
    for (std::uint64_t left = random.below(4); left > 0; --left)
        query.states.push_back(random.chance(0.1) ? State::running
                                                  : kEnds.at(random.below(kEnds.size())));
    if (random.chance(0.4)) query.labels.emplace_back("colour", pick(kColours, random));
    if (random.chance(0.2)) query.labels.emplace_back("size", "big");
    const TimePoint start{std::chrono::seconds{1'800'000'000}};
    if (random.chance(0.3)) query.since = start + std::chrono::milliseconds(random.below(4000));
    if (random.chance(0.3)) query.until = start + std::chrono::milliseconds(random.below(8000));
    query.newest_first = random.chance(0.5);
    query.limit = static_cast<std::uint32_t>(1 + random.below(20));
    return query;
}

}  // namespace longhaul::test
