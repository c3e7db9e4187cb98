#include "host_agent/driver/take_flow.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/base/at_exit.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr int kTriesMax = 3;    // of idle instances that turn out to be of no use
constexpr int kClosesMax = 16;  // rounds of leases to close for one take

double ms_since(TimePoint from, TimePoint now) {
    return std::chrono::duration<double, std::milli>(now - from).count();
}

LoadedCode code_of(const wire::TakeRequest& request) {
    return {request.tenant, request.function.name, request.function.version,
            request.function.package, request.function.keep_alive};
}

Error refusal(TakeVerdict verdict) {
    switch (verdict) {
    case TakeVerdict::stale:
        return make_error(Errc::stale, "a newer owner of this shard has spoken to this host",
                          "stale-owner");
    case TakeVerdict::fenced:
        return make_error(Errc::conflict, "this attempt may not start here any more", "fenced");
    case TakeVerdict::mismatch:
        return make_error(Errc::conflict, "this attempt is known under another token",
                          "token-mismatch");
    case TakeVerdict::ended:
        return make_error(Errc::conflict, "this attempt has ended here already", "already-ended");
    case TakeVerdict::draining:
        return make_error(Errc::unavailable, "this host is draining: no more work comes here",
                          "draining");
    case TakeVerdict::overloaded:
        return make_error(Errc::overloaded, "too many runs here wait to be acknowledged",
                          "no-capacity");
    default:
        return make_error(Errc::overloaded, "no room for another instance on this host",
                          "no-capacity");
    }
}

Error stopping() {
    return make_error(Errc::unavailable, "this host agent is stopping", "stopping");
}

Error agent_gone(const std::string& when) {
    return make_error(Errc::unavailable, "the runtime agent ended " + when, "instance-failed");
}

// Faults of the package are the user's, as much as an exception at import is.
bool is_users_fault(const Error& error) {
    return error.type == "load-failed" || error.type == "load-timeout";
}

}  // namespace

struct TakeFlow::Job {
    Job(asio::any_io_executor executor, wire::TakeRequest asked, TakeDecision decided)
        : request(std::move(asked)),
          key(run_key(request.key)),
          decision(std::move(decided)),
          done(executor) {}

    wire::TakeRequest request;
    RunKey key;
    TakeDecision decision;
    StageTrace trace{};
    std::string run_token{};
    bool finished = false;
    bool try_again = false;  // the instance was of no use, another may be
    // Until the work has come to an end of its own.
    Result<void> result = make_error(Errc::unavailable, "the take was given up", "instance-failed");
    PackageCache::Pin pin{};
    net::Notifier done;
};

TakeFlow::TakeFlow(asio::any_io_executor executor, port::Clock& clock, Logger logger,
                   Ledger& ledger, Keeper& keeper, AgentControl& control, LeaseFlow& leases,
                   PackageCache& packages, const TakeLimits& limits)
    : clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger),
      keeper_(keeper),
      control_(control),
      leases_(leases),
      packages_(packages),
      limits_(limits),
      executor_(executor),
      tasks_(executor, logger_) {}

asio::awaitable<void> TakeFlow::stop() {
    stopping_ = true;
    tasks_.cancel();
    co_await tasks_.join();
    for (auto& [key, job] : jobs_) {
        job->finished = true;
        job->result = stopping();
        job->done.notify_all();
    }
    jobs_.clear();
}

asio::awaitable<Result<wire::TakeAnswer>> TakeFlow::take(wire::TakeRequest request) {
    ++counters_.asked;
    const TimePoint began = clock_.now();
    const RunKey key = run_key(request.key);
    if (!request.instance.empty()) {
        const RunKey name = key;
        const Token token = request.token;
        const InstanceId sent_to = request.instance;
        auto settled = co_await leases_.settle(name, token, sent_to);
        if (!settled) co_return settled.error();
    }
    for (int tries = 0; tries < kTriesMax; ++tries) {
        auto decision = co_await decide_without_leases(request);
        if (!decision) {
            ++counters_.refused;
            // A refusal may rest on a term or a fence that is not durable yet.
            auto durable = co_await ledger_.durable();
            if (!durable) co_return durable.error();
            co_return decision.error();
        }
        if (decision->verdict == TakeVerdict::answered) {
            auto durable = co_await ledger_.durable();
            if (!durable) co_return durable.error();
            if (ledger_.core().run(key) == nullptr) continue;
            co_return answer_of(key);
        }
        std::shared_ptr<Job> job;
        if (decision->verdict == TakeVerdict::in_progress) {
            const auto place = jobs_.find(key);
            if (place == jobs_.end()) co_return stopping();
            job = place->second;
        } else {
            job = std::make_shared<Job>(executor_, request, std::move(*decision));
            jobs_.emplace(key, job);
            tasks_.start("take", work(job));
        }
        while (!job->finished) co_await job->done.wait();
        if (job->try_again) continue;
        if (!job->result) co_return job->result.error();
        if (ledger_.core().run(key) == nullptr) continue;
        counters_.seconds.observe(ms_since(began, clock_.now()) / 1000);
        wire::TakeAnswer answer = answer_of(key);
        answer.loaded = job->decision.verdict == TakeVerdict::reuse;
        answer.trace = job->trace;
        answer.trace.emplace(answer.trace.begin(), "take", ms_since(began, clock_.now()));
        co_return answer;
    }
    co_return make_error(Errc::unavailable, "no instance could be made ready", "instance-failed");
}

// An instance that is leased ahead is asked back first; a run that came first keeps it.
asio::awaitable<Result<TakeDecision>> TakeFlow::decide_without_leases(
    const wire::TakeRequest& request) {
    for (int rounds = 0; rounds < kClosesMax; ++rounds) {
        auto decision = decide(request);
        if (!decision || decision->verdict != TakeVerdict::close) co_return decision;
        // One that is silent is passed over by the next decision.
        for (const InstanceId& id : decision->close) (void)co_await leases_.close(id);
    }
    co_return refusal(TakeVerdict::no_capacity);
}

Result<TakeDecision> TakeFlow::decide(const wire::TakeRequest& request) {
    if (ledger_.failed())
        return make_error(Errc::unavailable, "the host's journal failed", "store-unavailable");
    TakeInput input;
    input.owner = {request.owner.shard, request.owner.term};
    input.key = run_key(request.key);
    input.token = request.token;
    input.code = code_of(request);
    input.memory_mb = request.function.memory_mb;
    input.places = request.function.concurrency;
    input.fresh = keeper_.fresh_id();
    if (stopping_ && ledger_.core().run(input.key) == nullptr) return stopping();
    Records out;
    TakeDecision decision = ledger_.core().take(clock_.now(), input, out);
    ledger_.stage(std::move(out));
    for (const InstanceId& id : decision.evict) keeper_.destroy(id);
    switch (decision.verdict) {
    case TakeVerdict::in_progress:
    case TakeVerdict::close:
    case TakeVerdict::answered: break;
    case TakeVerdict::reuse: ++counters_.reused; break;
    case TakeVerdict::start: ++counters_.started; break;
    case TakeVerdict::no_capacity: ++counters_.no_capacity; return refusal(decision.verdict);
    case TakeVerdict::ended: ledger_.changed().notify_all(); return refusal(decision.verdict);
    default: return refusal(decision.verdict);
    }
    return decision;
}

asio::awaitable<void> TakeFlow::work(std::shared_ptr<Job> job) {
    const AtExit end([this, &job] { finish(*job); });
    if (job->decision.verdict == TakeVerdict::reuse)
        job->result = co_await join(*job);
    else
        job->result = co_await start(*job);
}

void TakeFlow::finish(Job& job) {
    if (!job.result) give_up(job);
    jobs_.erase(job.key);
    job.finished = true;
    job.done.notify_all();
}

void TakeFlow::give_up(Job& job) {
    HostCore& core = ledger_.core();
    const Error error = job.result.error();
    // Fenced: the instance itself is as good as before.
    const bool broken = error.type != "fenced";
    const Run* run = core.run(job.key);
    const bool fenced = run != nullptr ? run->fenced : core.is_fenced(job.key);
    if (run != nullptr && run->state == RunState::taking)
        core.abandon(clock_.now(), job.key, broken);
    if (run != nullptr && run->state == RunState::assigned) {
        // Nobody was told of the assignment.
        Records undo;
        (void)core.release(clock_.now(), job.key, undo);
        if (broken) core.broken(job.decision.instance, undo);
        ledger_.stage(std::move(undo));
    }
    if (stopping_) {
        job.result = stopping();
        return;
    }
    // Whoever asked is to know why its instance went: it was killed itself, or its host drains.
    if (fenced)
        job.result = refusal(TakeVerdict::fenced);
    else if (error.type == "instance-failed" && core.drain() != nullptr)
        job.result = refusal(TakeVerdict::draining);
    if (is_users_fault(error)) ++counters_.load_failed;
    logger_.info("take_failed", {{"id", job.key.invocation.text},
                                 {"attempt", job.key.attempt},
                                 {"type", error.type},
                                 {"reason", error.message}});
    for (const InstanceId& id : core.retire(clock_.now())) keeper_.destroy(id);
    job.try_again = job.decision.verdict == TakeVerdict::reuse && broken && !fenced &&
                    !is_users_fault(error) && !ledger_.failed();
}

asio::awaitable<Result<void>> TakeFlow::start(Job& job) {
    const std::int64_t ms_left = std::max<std::int64_t>(1, job.request.ms_left);
    const Duration asked = std::chrono::milliseconds(ms_left);
    const TimePoint until =
        clock_.now() + std::min(asked, limits_.start_timeout + job.request.function.load_timeout);
    auto prepared = co_await prepare(job, until);
    if (!prepared) co_return prepared;
    auto loaded = co_await load(job, until);
    if (!loaded) co_return loaded;
    auto assigned = co_await assign(job);
    co_return assigned;
}

// Process and package, side by side: the process starts while the package is fetched.
asio::awaitable<Result<void>> TakeFlow::prepare(Job& job, TimePoint until) {
    const InstanceId id = job.decision.instance;
    const TimePoint began = clock_.now();
    const TimePoint ready_until = std::min(until, began + limits_.start_timeout);
    auto room = co_await keeper_.wait_uid(id, ready_until);
    if (!room) co_return room;
    if (auto spawned = keeper_.spawn(id, job.request.function.memory_mb); !spawned)
        co_return spawned.error();
    if (!job.request.function.package.empty()) {
        const Digest package = job.request.function.package;
        auto ready = co_await packages_.ensure(package);
        if (!ready) {
            Error error = ready.error();
            if (error.type == "bad-package")
                error = make_error(Errc::mismatch, error.message, "load-failed");
            co_return error;
        }
        job.pin = std::move(ready->pin);
        job.trace.emplace_back("fetch", ready->fetch_ms);
        job.trace.emplace_back("unpack", ready->unpack_ms);
    }
    auto ready = co_await keeper_.wait_ready(id, ready_until);
    if (!ready) co_return ready;
    job.trace.emplace_back("start", ms_since(began, clock_.now()));
    co_return Result<void>{};
}

asio::awaitable<Result<void>> TakeFlow::load(Job& job, TimePoint until) {
    const auto process = process_of(job.decision.instance);
    if (!process) co_return agent_gone("before the load");
    const TimePoint began = clock_.now();
    // Named first, so that what the load prints lies in this attempt's log.
    job.run_token = keeper_.fresh_secret();
    wire::AssignRequest named{job.request.key, job.request.token, job.run_token};
    auto assigned = co_await control_.assign(*process, std::move(named));
    if (!assigned) co_return assigned.error();
    const Duration limit = std::min(job.request.function.load_timeout, until - clock_.now());
    wire::LoadRequest request;
    request.tenant = job.request.tenant;
    request.function = job.request.function;
    if (!job.request.function.package.empty())
        request.code_dir = packages_.folder_of(job.request.function.package);
    request.load_ms = std::max<std::int64_t>(1, to_ms(limit));
    auto trace =
        co_await control_.load(*process, std::move(request), limit + limits_.control_timeout);
    if (!trace) {
        if (trace.error().code == Errc::timed_out && trace.error().type.empty())
            co_return make_error(Errc::timed_out,
                                 "the load took longer than " + format_duration(limit),
                                 "load-timeout");
        co_return trace.error();
    }
    job.trace.emplace_back("load", ms_since(began, clock_.now()));
    for (auto& stage : *trace)
        if (stage.first != "load") job.trace.push_back(stage);
    if (ledger_.core().instance(job.decision.instance) == nullptr)
        co_return agent_gone("during the load");
    Records out;
    ledger_.core().loaded(job.decision.instance, code_of(job.request), out);
    ledger_.stage(std::move(out));
    co_return Result<void>{};
}

// A shared instance may be chosen while another take still loads it. What is wrong with the code is
// then the answer to both.
asio::awaitable<Result<void>> TakeFlow::join(Job& job) {
    const auto loads = [&job](const auto& entry) {
        const TakeDecision& decision = entry.second->decision;
        return decision.verdict == TakeVerdict::start && decision.instance == job.decision.instance;
    };
    const auto place = std::ranges::find_if(jobs_, loads);
    if (place != jobs_.end()) {
        const std::shared_ptr<Job> loader = place->second;
        while (!loader->finished) co_await loader->done.wait();
        if (!loader->result && is_users_fault(loader->result.error())) co_return loader->result;
    }
    const Instance* instance = ledger_.core().instance(job.decision.instance);
    if (instance == nullptr || instance->state != InstanceState::taken || instance->worn)
        co_return make_error(Errc::unavailable, "the instance could not be loaded",
                             "instance-failed");
    auto assigned = co_await assign(job);
    co_return assigned;
}

// The record and the runtime agent's permission go side by side: nobody can use either without the
// answer.
asio::awaitable<Result<void>> TakeFlow::assign(Job& job) {
    const Instance* instance = ledger_.core().instance(job.decision.instance);
    const AgentReport* report = keeper_.report_of(job.decision.instance);
    // It may have died, or its end may be under way, since it was chosen.
    const bool lives = instance != nullptr && instance->state == InstanceState::taken;
    if (!lives || !instance->process || report == nullptr)
        co_return agent_gone("before it was assigned");
    const InstanceProcess process = *instance->process;
    const bool named_already = !job.run_token.empty();
    if (!named_already) job.run_token = keeper_.fresh_secret();
    Records out;
    if (!ledger_.core().assigned(clock_.now(), job.key, job.run_token, report->data_address, out))
        co_return refusal(TakeVerdict::fenced);
    const Ledger::Ticket ticket = ledger_.stage(std::move(out));
    if (!named_already) {
        wire::AssignRequest named{job.request.key, job.request.token, job.run_token};
        auto told = co_await control_.assign(process, std::move(named));
        if (!told) co_return told.error();
    }
    auto durable = co_await ledger_.durable(ticket);
    co_return durable;
}

wire::TakeAnswer TakeFlow::answer_of(const RunKey& key) const {
    const Run* run = ledger_.core().run(key);
    LH_ASSERT(run != nullptr);
    wire::TakeAnswer answer;
    answer.instance = run->instance;
    answer.address = run->data_address;
    answer.run_token = run->run_token;
    return answer;
}

std::optional<InstanceProcess> TakeFlow::process_of(const InstanceId& id) const {
    const Instance* instance = ledger_.core().instance(id);
    if (instance == nullptr) return std::nullopt;
    return instance->process;
}

}  // namespace longhaul::host_agent
