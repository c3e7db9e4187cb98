#include "gateway/driver/dispatcher.hpp"

#include "gateway/driver/host_conversion.hpp"
#include "gateway/driver/run_request.hpp"
#include "longhaul/base/at_exit.hpp"
#include "longhaul/base/mutant.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <algorithm>

namespace longhaul::gateway {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 8u << 20;

Duration doubled(Duration backoff, Duration max) { return std::min(backoff * 2, max); }

std::int64_t ms_until(TimePoint now, TimePoint when) {
    return std::max<std::int64_t>(0, to_ms(when - now));
}

double ms_between(TimePoint from, TimePoint to) {
    return static_cast<double>((to - from).count()) / 1000.0;
}

// queue: accept to dispatch; route: dispatch, made durable, to the take; take: the host's answer,
// as seen from here. Then what the host says of its part.
StageTrace route_stages(const StartEffect& effect, TimePoint took_from, TimePoint taken_at,
                        const StageTrace& of_host) {
    StageTrace stages{{"queue", ms_between(effect.created_at, effect.dispatched_at)},
                      {"route", ms_between(effect.dispatched_at, took_from)},
                      {"take", ms_between(took_from, taken_at)}};
    for (const auto& stage : of_host)
        if (stage.first != "take") stages.push_back(stage);
    return stages;
}

}  // namespace

Dispatcher::Dispatcher(net::TaskGroup& tasks, const Scheduler& scheduler, Step step,
                       port::Peer& peer, port::Clock& clock, BodyStore& bodies,
                       DispatchLimits limits, Logger logger)
    : tasks_(tasks),
      scheduler_(scheduler),
      step_(std::move(step)),
      peer_(peer),
      clock_(clock),
      bodies_(bodies),
      limits_(limits),
      logger_(std::move(logger)) {}

void Dispatcher::perform(const Effect& effect) {
    if (const auto* to_start = std::get_if<StartEffect>(&effect)) {
        if (starting_.emplace(to_start->id, to_start->attempt).second)
            tasks_.start("start", start(*to_start));
    } else if (const auto* to_stop = std::get_if<StopEffect>(&effect)) {
        const Key key{to_stop->id, to_stop->attempt};
        const bool is_new = stopping_.insert_or_assign(key, *to_stop).second;
        if (is_new) tasks_.start("stop", stop(key));
    } else if (const auto* to_fetch = std::get_if<FetchResultEffect>(&effect)) {
        tasks_.start("fetch_result", fetch(*to_fetch));
    } else if (const auto* to_ack = std::get_if<AckEffect>(&effect)) {
        if (to_ack->host_address.empty()) return;  // it will report the end again
        auto& waiting = acks_[to_ack->host_address];
        waiting.push_back(*to_ack);
        if (waiting.size() == 1) tasks_.start("ack", send_acks(to_ack->host_address));
    } else if (const auto* to_ask = std::get_if<AskEffect>(&effect)) {
        if (asking_.insert(to_ask->host).second) tasks_.start("ask", ask(to_ask->host));
    } else if (const auto* to_drop = std::get_if<DropFileEffect>(&effect)) {
        tasks_.start("drop_file", bodies_.remove(to_drop->file));
    }
}

void Dispatcher::refused(const StartEffect& effect, RouteFailure failure, const std::string& why) {
    step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.not_started(now, effect.id, effect.attempt, failure, why, out);
    });
}

boost::asio::awaitable<void> Dispatcher::start(StartEffect effect) {
    const Key key{effect.id, effect.attempt};
    const AtExit end([this, &key] { starting_.erase(key); });
    Duration backoff = limits_.backoff_min;
    Starting so_far;
    so_far.sent_to = effect.instance;
    so_far.is_unsure = (effect.is_repeat || (!effect.instance.empty() && !effect.lease)) &&
                       !mutant(Mutant::repeated_start_is_fresh);
    Verdict verdict = Verdict::again;
    if (effect.lease) verdict = co_await try_lease(effect, so_far);
    while (verdict == Verdict::again && scheduler_.wants_start(effect.id, effect.attempt)) {
        verdict = co_await try_start(effect, so_far);
        if (verdict == Verdict::done) break;
        ++counters_.retries;
        const TimePoint next_try = clock_.now() + backoff;
        co_await clock_.wait_until(next_try);
        backoff = doubled(backoff, limits_.backoff_max);
    }
}

// The start alone. A refusal has certainly started nothing: then an instance is taken, and nobody
// notices. After silence too, but then the host has to find out first.
boost::asio::awaitable<Dispatcher::Verdict> Dispatcher::try_lease(const StartEffect& effect,
                                                                  Starting& so_far) {
    if (!scheduler_.wants_start(effect.id, effect.attempt)) co_return Verdict::done;
    ++counters_.leased_starts;
    const TimePoint sent_at = clock_.now();
    std::string address = effect.lease->address;
    std::string run_token = effect.lease->run_token;
    SendOutcome outcome = co_await send(effect, std::move(address), std::move(run_token));
    if (outcome.sent == Sent::started) {
        StageTrace stages{{"queue", ms_between(effect.created_at, effect.dispatched_at)},
                          {"route", ms_between(effect.dispatched_at, sent_at)}};
        step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            scheduler.take_answered(now, effect.id, effect.attempt, Phase::connecting,
                                    std::move(stages), out);
            // The instance may die before its host has heard of the run: then nobody would tell.
            scheduler.started_under_lease(now, std::move(outcome.report), out);
        });
        co_return Verdict::done;
    }
    if (outcome.sent == Sent::unsure) {
        so_far.is_unsure = true;
        co_return Verdict::again;
    }
    ++counters_.leases_refused;
    // Nobody listens there: the host need not ask it.
    if (outcome.error.code == Errc::unreachable) so_far.sent_to = InstanceId{};
    co_return Verdict::again;
}

// One take and, if it succeeds, one start. A refused take has certainly started nothing, unless an
// earlier start of this attempt went unanswered.
boost::asio::awaitable<Dispatcher::Verdict> Dispatcher::try_start(const StartEffect& effect,
                                                                  Starting& so_far) {
    wire::TakeRequest take;
    take.owner = wire::Owner{0, scheduler_.owner_term()};
    take.key = wire::AttemptKey{effect.id, effect.attempt};
    take.token = effect.token;
    take.tenant = effect.tenant;
    take.function = *effect.function;
    if (!mutant(Mutant::leased_instance_unsaid)) take.instance = so_far.sent_to;
    const Duration limit = effect.function->load_timeout + limits_.take_margin;
    take.ms_left = to_ms(limit);
    port::PeerRequest request{"POST", "/v1/instances:take", {}, wire::to_json(take).dump()};
    ++counters_.takes;
    std::string address = effect.host_address;
    const TimePoint took_from = clock_.now();
    auto answer = co_await call_for_json(peer_, std::move(address), std::move(request), limit,
                                         kAnswerBytesMax);
    if (!answer) {
        const Error& error = answer.error();
        logger_.info("take_refused", {{"id", effect.id.text},
                                      {"attempt", effect.attempt},
                                      {"host", effect.host.text},
                                      {"why", error.message}});
        // The host's report will decide: it says that the attempt had started and ended there, or
        // an earlier start of ours went unanswered. A newer owner's word would reach us as well.
        const bool is_unsure = so_far.is_unsure && !mutant(Mutant::unsure_start_is_refusal);
        if (is_unsure || error.type == "already-ended" || error.type == "stale-owner" ||
            error.type == "instance-silent")
            co_return Verdict::again;
        if (error.type == "load-failed" || error.type == "load-timeout") {
            step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
                scheduler.load_failed(now, effect.id, effect.attempt, error.message, out);
            });
            co_return Verdict::done;
        }
        refused(effect,
                error.type == "no-capacity" || error.type == "draining" ? RouteFailure::no_capacity
                : error.code == Errc::unreachable                       ? RouteFailure::unreachable
                                                                        : RouteFailure::refused,
                error.message);
        co_return Verdict::done;
    }
    auto taken = wire::decode<wire::TakeAnswer>(*answer);
    if (!taken) {
        if (so_far.is_unsure) co_return Verdict::again;
        refused(effect, RouteFailure::refused, taken.error().message);
        co_return Verdict::done;
    }
    StageTrace stages = route_stages(effect, took_from, clock_.now(), taken->trace);
    step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.take_answered(now, effect.id, effect.attempt, Phase::connecting,
                                std::move(stages), out);
    });
    std::string run_address = taken->address;
    std::string run_token = taken->run_token;
    co_return co_await send_invocation(effect, std::move(run_address), std::move(run_token),
                                       so_far);
}

boost::asio::awaitable<Dispatcher::Verdict> Dispatcher::send_invocation(const StartEffect& effect,
                                                                        std::string address,
                                                                        std::string run_token,
                                                                        Starting& so_far) {
    if (!scheduler_.wants_start(effect.id, effect.attempt)) co_return Verdict::done;
    SendOutcome outcome = co_await send(effect, std::move(address), std::move(run_token));
    if (outcome.sent == Sent::started) {
        step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            scheduler.report(now, std::move(outcome.report), out);
        });
        co_return Verdict::done;
    }
    if (outcome.sent == Sent::unsure && !mutant(Mutant::unsure_start_is_refusal))
        so_far.is_unsure = true;
    if (so_far.is_unsure) co_return Verdict::again;
    refused(
        effect,
        outcome.error.code == Errc::unreachable ? RouteFailure::unreachable : RouteFailure::refused,
        outcome.error.message);
    co_return Verdict::done;
}

boost::asio::awaitable<Dispatcher::SendOutcome> Dispatcher::send(const StartEffect& effect,
                                                                 std::string address,
                                                                 std::string run_token) {
    SendOutcome outcome;
    port::PeerRequest request = run_request(effect, run_token, scheduler_.owner_term(),
                                            ms_until(clock_.now(), effect.deadline));
    if (!effect.body.file.empty()) {
        Content body = effect.body;
        auto stream = co_await bodies_.read(std::move(body), 0, effect.body.size);
        if (!stream) {
            outcome.sent = Sent::refused;
            outcome.error = make_error(Errc::refused, stream.error().message);
            co_return outcome;
        }
        request.body_stream = std::move(*stream);
        request.stream_bytes = effect.body.size;
        // Stopped, fenced or lost while the file was opened: nobody goes on with it.
        if (!scheduler_.wants_start(effect.id, effect.attempt)) co_return outcome;
    }
    ++counters_.starts;
    auto answer = co_await call_for_json(peer_, std::move(address), std::move(request),
                                         limits_.call_limit, kAnswerBytesMax);
    if (!answer) {
        const Error& error = answer.error();
        logger_.info("start_refused", {{"id", effect.id.text},
                                       {"attempt", effect.attempt},
                                       {"host", effect.host.text},
                                       {"why", error.message}});
        const bool certain = error.code == Errc::unreachable || error.code == Errc::conflict ||
                             error.code == Errc::invalid_argument ||
                             error.code == Errc::overloaded || error.code == Errc::refused;
        outcome.sent = certain ? Sent::refused : Sent::unsure;
        outcome.error = error;
        co_return outcome;
    }
    auto entry = wire::decode<wire::StatusEntry>(*answer);
    if (!entry) {
        logger_.warning("start_answer_unreadable",
                        {{"id", effect.id.text}, {"why", entry.error().message}});
        co_return outcome;
    }
    outcome.sent = Sent::started;
    outcome.report = to_report(*entry, effect.host, clock_.now());
    co_return outcome;
}

boost::asio::awaitable<void> Dispatcher::stop(Key key) {
    const AtExit end([this, &key] { stopping_.erase(key); });
    Duration backoff = limits_.backoff_min;
    std::uint32_t tries = 0;
    while (true) {
        const StopEffect effect = stopping_.at(key);
        const bool wanted = effect.fence
                                ? tries < limits_.fence_tries_max ||
                                      scheduler_.owes_fence(effect.host, key.first, key.second)
                                : scheduler_.wants_stop(key.first, key.second);
        if (!wanted || effect.host_address.empty()) break;
        ++tries;
        StopEffect order = effect;
        const bool answered = co_await try_stop(std::move(order));
        if (answered && effect.fence)
            step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
                scheduler.fence_told(now, effect.host, key.first, key.second, out);
            });
        const StopEffect& latest = stopping_.at(key);
        const bool unchanged = latest.cause == effect.cause && latest.fence == effect.fence &&
                               latest.grace == effect.grace;
        if (answered && mutant(Mutant::kill_not_escalated)) break;
        if (answered && unchanged) break;
        if (answered) continue;  // escalated meanwhile: send that at once
        ++counters_.retries;
        const TimePoint next_try = clock_.now() + backoff;
        co_await clock_.wait_until(next_try);
        backoff = doubled(backoff, limits_.backoff_max);
    }
}

// True if the host has answered for good.
boost::asio::awaitable<bool> Dispatcher::try_stop(StopEffect effect) {
    wire::KillOrder order;
    order.owner = wire::Owner{0, scheduler_.owner_term()};
    order.key = wire::AttemptKey{effect.id, effect.attempt};
    order.token = effect.token;
    order.mode = effect.fence                        ? wire::KillMode::fence
                 : effect.cause == StopCause::kill   ? wire::KillMode::kill
                 : effect.cause == StopCause::cancel ? wire::KillMode::cancel
                                                     : wire::KillMode::timeout;
    order.grace_ms = to_ms(effect.grace);
    order.instance = effect.instance;
    const std::vector<wire::KillOrder> orders{order};
    port::PeerRequest request{"POST", "/v1/kill:batch", {}, wire::to_json(orders).dump()};
    ++counters_.stops;
    auto answer = co_await call_for_json(peer_, std::move(effect.host_address), std::move(request),
                                         limits_.call_limit, kAnswerBytesMax);
    if (!answer) co_return false;
    auto answers = wire::decode<std::vector<wire::KillAnswer>>(*answer);
    if (!answers || answers->size() != 1) co_return false;
    switch (answers->front().outcome) {
    case wire::KillOutcome::fenced:
        step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
            scheduler.stop_was_fence(now, effect.id, effect.attempt, out);
        });
        co_return true;
    case wire::KillOutcome::stale:
        logger_.error("owner_term_refused", {{"host", effect.host.text}});
        co_return false;
    case wire::KillOutcome::stopping:
    case wire::KillOutcome::ended: break;
    }
    co_return true;  // its report follows
}

boost::asio::awaitable<void> Dispatcher::fetch(FetchResultEffect effect) {
    const TimePoint give_up = clock_.now() + limits_.result_grace;
    Duration backoff = limits_.backoff_min;
    while (true) {
        auto copied = co_await try_fetch(effect);
        if (copied || clock_.now() >= give_up) {
            step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
                scheduler.result_copied(now, effect.id, effect.attempt, std::move(copied), out);
            });
            co_return;
        }
        ++counters_.retries;
        const TimePoint next_try = clock_.now() + backoff;
        co_await clock_.wait_until(next_try);
        backoff = doubled(backoff, limits_.backoff_max);
    }
}

boost::asio::awaitable<Result<Content>> Dispatcher::try_fetch(const FetchResultEffect& effect) {
    port::PeerRequest request{"GET", "/v1/invocations/" + effect.id.text + "/attempts/" +
                                         std::to_string(effect.attempt) + "/result"};
    std::string address = effect.host_address;
    auto response = co_await peer_.call(std::move(address), std::move(request), limits_.call_limit);
    if (!response) co_return response.error();
    if (response->status != 200) {
        auto body = co_await port::read_all(*response->body, kAnswerBytesMax);
        co_return wire::error_from_problem(response->status, body ? *body : std::string());
    }
    std::string content_type = effect.expected.content_type;
    const std::optional<std::uint64_t> expected_bytes = effect.expected.size;
    auto stored = co_await bodies_.store(*response->body, effect.result_max,
                                         std::move(content_type), expected_bytes);
    if (!stored) co_return stored.error();
    if (stored->sha256 != effect.expected.sha256 && !mutant(Mutant::result_unchecked)) {
        if (!stored->file.empty()) {
            std::string file = stored->file;
            co_await bodies_.remove(std::move(file));
        }
        co_return make_error(Errc::corrupt,
                             "the result does not have the digest that was reported");
    }
    co_return std::move(*stored);
}

boost::asio::awaitable<void> Dispatcher::send_acks(std::string address) {
    const AtExit end([this, &address] { acks_.erase(address); });
    Duration backoff = limits_.backoff_min;
    while (!acks_[address].empty()) {
        std::vector<AckEffect>& waiting = acks_[address];
        const std::size_t count = std::min(waiting.size(), wire::kBatchMax);
        std::vector<wire::Ack> batch;
        for (std::size_t index = 0; index < count; ++index)
            batch.push_back(wire::Ack{wire::Owner{0, scheduler_.owner_term()},
                                      wire::AttemptKey{waiting[index].id, waiting[index].attempt}});
        port::PeerRequest request{"POST", "/v1/ack:batch", {}, wire::to_json(batch).dump()};
        std::string to = address;
        auto answer = co_await call_for_json(peer_, std::move(to), std::move(request),
                                             limits_.call_limit, kAnswerBytesMax);
        if (!answer) {
            // An ack is lazy: a host that keeps an end reports it again when it is asked.
            if (backoff >= limits_.backoff_max) break;
            const TimePoint next_try = clock_.now() + backoff;
            co_await clock_.wait_until(next_try);
            backoff = doubled(backoff, limits_.backoff_max);
            continue;
        }
        std::vector<AckEffect>& sent = acks_[address];
        sent.erase(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

// Until there is nothing more to ask: each answer brings the core further.
boost::asio::awaitable<void> Dispatcher::ask(HostId host) {
    const AtExit end([this, &host] { asking_.erase(host); });
    while (auto question = scheduler_.question(host)) {
        ++counters_.questions;
        HostId whom = host;
        const bool answered = co_await try_ask(std::move(whom), std::move(*question));
        if (answered) continue;
        step_([&](Scheduler& scheduler, TimePoint now, Outcome&) {
            scheduler.host_silent(now, host);
        });
    }
}

boost::asio::awaitable<bool> Dispatcher::try_ask(HostId host, HostQuestion question) {
    const wire::StatusQuery query = to_query(question);
    const TimePoint asked_at = clock_.now();
    port::PeerRequest request{"POST", "/v1/status:batch", {}, wire::to_json(query).dump()};
    std::string address = question.address;
    auto answer = co_await call_for_json(peer_, std::move(address), std::move(request),
                                         limits_.call_limit, kAnswerBytesMax);
    if (!answer) co_return false;
    auto decoded = wire::decode<wire::StatusAnswer>(*answer);
    if (!decoded || decoded->host != host) co_return false;
    // A page that brings nothing would be asked for again and again.
    if (decoded->more && decoded->entries.empty()) co_return false;
    step_([&](Scheduler& scheduler, TimePoint now, Outcome& out) {
        scheduler.host_answered(now, to_answer(*decoded, question, asked_at, now), out);
    });
    co_return true;
}

}  // namespace longhaul::gateway
