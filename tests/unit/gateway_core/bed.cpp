#include "tests/unit/gateway_core/bed.hpp"

#include "longhaul/base/assert.hpp"

#include <algorithm>

namespace longhaul::gateway::test {

Bed::Bed(SchedulerLimits limits_in)
    : limits(limits_in), scheduler(std::make_unique<Scheduler>(limits, token_seed_)) {
    step([&] { scheduler->begin(now, out); });
}

FunctionSpec Bed::spec(const std::string& name) const {
    FunctionSpec result;
    result.name = FunctionName{name};
    result.version = Digest{"sha256:" + std::string(64, 'a')};
    result.command = {"/bin/true"};
    result.memory_mb = 1;
    return result;
}

void Bed::function(FunctionSpec what, const TenantName& tenant) {
    step([&] { REQUIRE(scheduler->put_function(now, tenant, std::move(what), out)); });
}

void Bed::function(const std::string& name, std::uint32_t max_running) {
    FunctionSpec what = spec(name);
    what.max_running = max_running;
    function(std::move(what));
}

void Bed::host(const std::string& name, std::uint32_t instances, Epoch epoch,
               std::uint64_t last_seq) {
    HostNews news;
    news.host = HostId{name};
    news.epoch = epoch;
    news.last_seq = last_seq;
    news.address = name + ":7090";
    news.memory_mb = 1'000'000;
    news.instances_max = instances;
    announce(news);
}

void Bed::announce(const HostNews& news) {
    step([&] { scheduler->host_news(now, news, out); });
}

void Bed::tick(Duration by) {
    now += by;
    step([&] { scheduler->tick(now, out); });
    const auto next = scheduler->next_deadline();
    CHECK((!next || *next > now));  // I6: nothing is overdue
}

void Bed::silence(Duration span) {
    const TimePoint until = now + span;
    while (now < until) tick(std::min<Duration>(seconds(1), until - now));
}

InvocationId Bed::submit(const std::string& function_name) {
    const auto answer = try_submit(Submit{.function = function_name});
    REQUIRE(answer);
    return answer->id;
}

Result<SubmitAnswer> Bed::try_submit(const Submit& what) {
    SubmitRequest request;
    request.id_is_chosen = !what.id.empty();
    request.id = InvocationId{what.id.empty() ? "i" + std::to_string(next_id_++) : what.id};
    request.tenant = what.tenant;
    request.function = FunctionName{what.function};
    request.options.idempotency_key = what.key;
    request.options.fingerprint = what.fingerprint;
    request.options.timeout = what.timeout;
    request.options.queue_ttl = what.queue_ttl;
    request.options.deadline = what.deadline;
    request.options.priority = what.priority;
    request.options.concurrency_key = what.concurrency_key;
    request.body.file = what.body_file;
    request.body.size = what.body_size;
    request.options.not_before = what.not_before;
    request.options.retry_max_attempts = what.retry_max_attempts;
    return step([&] { return scheduler->submit(now, std::move(request), out); });
}

Result<void> Bed::cancel(const InvocationId& id, std::optional<Duration> grace) {
    StopRequest request{id, of(id).tenant, StopCause::cancel, "api", "enough", grace};
    return step([&] { return scheduler->stop(now, request, out); });
}

Result<void> Bed::kill(const InvocationId& id) {
    StopRequest request{id, of(id).tenant, StopCause::kill, "api", "now", {}};
    return step([&] { return scheduler->stop(now, request, out); });
}

void Bed::started(const InvocationId& id) { say(id, Say{.started_at = now}); }

void Bed::ended(const InvocationId& id, AttemptOutcome outcome) { ended(id, end_with(outcome)); }

void Bed::ended(const InvocationId& id, ReportedEnd end) {
    say(id, Say{.rank = kRankEnded, .end = std::move(end)});
}

AttemptReport Bed::report_of(const InvocationId& id, const Say& what) const {
    const Invocation& invocation = of(id);
    AttemptReport report;
    report.id = id;
    report.attempt = what.attempt == 0 ? attempt(id) : what.attempt;
    for (const Attempt& known : invocation.attempts) {
        if (known.number != report.attempt) continue;
        report.token = known.token;
        report.host = known.host;
    }
    if (!what.token.empty()) report.token = Token{what.token};
    if (report.host.empty()) report.host = HostId{"h1"};
    report.instance = InstanceId{"instance"};
    report.version = what.version == 0 ? next_version_ : what.version;
    report.rank = what.rank;
    report.started_at = what.started_at;
    report.end = what.end;
    report.progress = what.progress;
    report.silent = what.silent;
    return report;
}

void Bed::say(const InvocationId& id, const Say& what) {
    AttemptReport report = report_of(id, what);
    ++next_version_;
    step([&] { scheduler->report(now, std::move(report), out); });
}

void Bed::take_answered(const InvocationId& id) {
    step([&] { scheduler->take_answered(now, id, attempt(id), Phase::connecting, {}, out); });
}

void Bed::refused(const InvocationId& id, RouteFailure why) {
    step([&] { scheduler->not_started(now, id, attempt(id), why, "it said no", out); });
}

void Bed::load_failed(const InvocationId& id) {
    step([&] { scheduler->load_failed(now, id, attempt(id), "no module named app", out); });
}

void Bed::stop_was_fence(const InvocationId& id) {
    step([&] { scheduler->stop_was_fence(now, id, attempt(id), out); });
}

void Bed::result_copied(const InvocationId& id, Result<Content> result) {
    step([&] { scheduler->result_copied(now, id, attempt(id), std::move(result), out); });
}

void Bed::answer(const std::string& host_name, Epoch epoch, bool complete,
                 std::vector<AttemptReport> reports, std::vector<InvocationId> unknown) {
    HostAnswer what;
    what.host = HostId{host_name};
    what.epoch = epoch;
    what.complete = complete;
    what.asked_at = now;
    what.reports = std::move(reports);
    for (const InvocationId& id : unknown) what.unknown.emplace_back(id, attempt(id));
    ++next_version_;
    step([&] { scheduler->host_answered(now, what, out); });
}

// The first `from_view` records come as a view would load them: live invocations and functions.
void Bed::restart(std::size_t from_view) {
    LH_ASSERT(from_view <= journal.size());
    token_seed_ += 1000;
    scheduler = std::make_unique<Scheduler>(limits, token_seed_);
    std::map<InvocationId, Invocation> view;
    for (std::size_t index = 0; index < from_view; ++index) {
        const Record& record = journal[index];
        if (const auto* accepted = std::get_if<AcceptedRecord>(&record))
            view.insert_or_assign(accepted->invocation.id, accepted->invocation);
        else if (const InvocationId* id = invocation_of(record))
            longhaul::apply(record, view.at(*id));
        else
            scheduler->replayed(record);
    }
    for (auto& [id, invocation] : view)
        if (!is_terminal(invocation.state)) scheduler->load_invocation(std::move(invocation));
    for (std::size_t index = from_view; index < journal.size(); ++index)
        scheduler->replayed(journal[index]);
    step([&] { scheduler->begin(now, out); });
}

Invocation Bed::of(const InvocationId& id) const {
    const Invocation* found = scheduler->find(id);
    if (found) return *found;
    return mirror.at(id);  // forgotten by the core: as the view would show it
}

std::vector<InvocationId> Bed::in_state(State wanted) const {
    std::vector<InvocationId> found;
    for (const auto& [id, invocation] : mirror)
        if (invocation.state == wanted) found.push_back(id);
    return found;
}

void Bed::mirror_record(const Record& record) {
    journal.push_back(record);
    if (const auto* accepted = std::get_if<AcceptedRecord>(&record)) {
        const bool is_new = mirror.emplace(accepted->invocation.id, accepted->invocation).second;
        REQUIRE(is_new);
        return;
    }
    const Change* change = change_of(record);
    if (!change) return;
    Invocation& invocation = mirror.at(change->id);
    REQUIRE_FALSE(is_terminal(invocation.state));          // I4
    REQUIRE(change->revision == invocation.revision + 1);  // I5
    REQUIRE(longhaul::apply(record, invocation));
}

void Bed::compare(const Invocation& live, const Invocation& recorded) const {
    INFO("invocation " << live.id.text << ", live " << to_string(live.state) << ", recorded "
                       << to_string(recorded.state));
    REQUIRE(live.state == recorded.state);
    REQUIRE(live.revision == recorded.revision);
    REQUIRE(live.attempts.size() == recorded.attempts.size());
    REQUIRE(live.route_tries == recorded.route_tries);
    REQUIRE(live.stop == recorded.stop);
    REQUIRE(live.failure == recorded.failure);
    REQUIRE(live.result == recorded.result);
    REQUIRE(live.started_at == recorded.started_at);
    std::size_t open = 0;
    for (std::size_t index = 0; index < live.attempts.size(); ++index) {
        REQUIRE(live.attempts[index].token == recorded.attempts[index].token);
        REQUIRE(live.attempts[index].outcome == recorded.attempts[index].outcome);
        REQUIRE(live.attempts[index].fenced == recorded.attempts[index].fenced);
        if (!live.attempts[index].outcome && !live.attempts[index].fenced) ++open;
    }
    REQUIRE(open == (holds_slot(live.state) ? 1U : 0U));  // I3
}

void Bed::check_limits() const {
    std::map<FunctionKey, std::uint32_t> by_function;
    std::map<TenantName, std::uint32_t> by_tenant;
    std::map<std::pair<FunctionKey, std::string>, std::uint32_t> by_key;
    std::uint32_t all = 0;
    for (const auto& [id, invocation] : mirror) {
        if (!holds_slot(invocation.state)) continue;
        ++all;
        const std::string& key = invocation.options.concurrency_key;
        if (!key.empty()) ++by_key[{{invocation.tenant, invocation.function->name}, key}];
        ++by_tenant[invocation.tenant];
        ++by_function[{invocation.tenant, invocation.function->name}];
    }
    REQUIRE(all == scheduler->running_count());
    REQUIRE(all <= limits.run.global_max);
    for (const auto& [tenant, count] : by_tenant)
        REQUIRE((limits.run.tenant_max == 0 || count <= limits.run.tenant_max));
    for (const auto& [key, count] : by_function) {
        const FunctionQueue* queue = scheduler->function(key.first, key.second);
        REQUIRE(queue != nullptr);
        REQUIRE(queue->running == count);
    }
    for (const auto& [key, count] : by_key) {
        const FunctionQueue* queue = scheduler->function(key.first.first, key.first.second);
        const std::uint32_t key_max = queue->current->key_max_running;
        REQUIRE((key_max == 0 || count <= key_max));
    }
}

void Bed::check() {
    for (const Record& record : out.records) mirror_record(record);
    for (const Record& record : out.records) {
        const InvocationId* id = invocation_of(record);
        if (!id) continue;
        const Invocation* live = scheduler->find(*id);
        REQUIRE(live != nullptr);
        compare(*live, mirror.at(*id));
    }
    scheduler->check_invariants();
    check_limits();
}

ReportedEnd end_with(AttemptOutcome outcome) {
    ReportedEnd end;
    end.outcome = outcome;
    end.tree_gone = true;
    if (outcome == AttemptOutcome::succeeded)
        end.result = Content{"text/plain", "yes", "", 3, std::string(64, '0')};
    if (outcome == AttemptOutcome::failed) end.exit_code = 1;
    return end;
}

ReportedEnd stopped_with(AttemptOutcome outcome, StopCause cause, bool sigkill) {
    ReportedEnd end;
    end.outcome = outcome;
    end.stop_cause = cause;
    end.sigkill_sent = sigkill;
    end.tree_gone = true;
    return end;
}

}  // namespace longhaul::gateway::test
