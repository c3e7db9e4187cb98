// What a simulated host answers to each call.
#include "longhaul/wire/problem_json.hpp"
#include "longhaul/wire/run_headers.hpp"
#include "tests/sim/fake_host.hpp"

namespace longhaul::sim {
namespace {

Result<port::PeerResponse> json(const wire::Json& value) {
    return test::make_response(200, value.dump());
}

Result<port::PeerResponse> problem(const Error& error) {
    return test::make_response(wire::http_status(error.code), wire::problem(error).dump());
}

std::string header(const port::PeerRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers)
        if (key == name) return value;
    return {};
}

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

}  // namespace

bool FakeHost::obey(OwnerTerm term) {
    if (term < owner_term_) {
        notebook_.saw("older owners refused");
        return false;
    }
    owner_term_ = term;
    return true;
}

boost::asio::awaitable<FakeHost::Response> FakeHost::agent(port::PeerRequest request) {
    if (clock_.now() < deaf_until_) co_return make_error(Errc::unreachable, "nobody listens");
    if (request.target == "/v1/instances:take") co_return co_await take(std::move(request.body));
    if (request.target == "/v1/kill:batch") co_return kill(request.body);
    if (request.target == "/v1/status:batch") co_return status(request.body);
    if (request.target == "/v1/ack:batch") co_return ack(request.body);
    if (request.method == "GET") co_return result(request.target);
    co_return problem(make_error(Errc::not_found, "no route " + request.target));
}

std::optional<Error> FakeHost::refuses(const wire::TakeRequest& request) {
    const RunKey key{request.key.invocation, request.key.attempt};
    if (!obey(request.owner.term)) return make_error(Errc::conflict, "stale", "stale-owner");
    if (closed_.contains(key)) {
        notebook_.saw("takes of what was fenced");
        return make_error(Errc::conflict, "this attempt may not start here any more", "fenced");
    }
    const auto known = runs_.find(key);
    if (known != runs_.end()) {
        if (known->second.token != request.token)
            return make_error(Errc::conflict, "another token", "token-mismatch");
        if (known->second.stage == Stage::ended) {
            notebook_.saw("takes of what had ended");
            return make_error(Errc::conflict, "it has ended here already", "already-ended");
        }
        return std::nullopt;
    }
    if (draining_) return make_error(Errc::overloaded, "it drains", "draining");
    if (!complete_ || busy() >= behaviour_.instances_max)
        return make_error(Errc::overloaded, "full", "no-capacity");
    if (!is_tidy_ && random_.chance(behaviour_.refuses))
        return make_error(Errc::unavailable, "the package cannot be fetched");
    if (request.function.name.text == "broken")
        return make_error(Errc::invalid_argument, "no module named app", "load-failed");
    return std::nullopt;
}

FakeHost::Response FakeHost::take_answer(const RunKey& key) const {
    wire::TakeAnswer answer;
    answer.instance = InstanceId{runs_.at(key).instance};
    answer.address = name_ + "-run";
    answer.run_token = runs_.at(key).run_token;
    answer.trace = {{"load", 1.0}};
    return json(wire::to_json(answer));
}

boost::asio::awaitable<FakeHost::Response> FakeHost::take(std::string body) {
    auto request = wire::decode<wire::TakeRequest>(body);
    if (!request) co_return problem(request.error());
    const RunKey key{request->key.invocation, request->key.attempt};
    notebook_.trace("host " + name_ + ": take of " + key.first.text + "/" +
                    std::to_string(key.second));
    if (!request->instance.empty() && obey(request->owner.term)) {
        if (!settle(key, request->instance, true))
            co_return problem(make_error(Errc::unavailable, "no answer", "instance-silent"));
        if (lose_with_lease(key, request->token, request->instance))
            notebook_.saw("attempts lost with a lease");
    }
    if (const auto refusal = refuses(*request)) co_return problem(*refusal);
    if (runs_.contains(key)) {
        if (unheard(key))
            notebook_.violation("I3", "taken again while it runs under a lease: " + key.first.text);
        notebook_.saw("takes repeated");
        co_return take_answer(key);
    }
    const std::uint64_t life = life_;
    const TimePoint loaded = clock_.now() + random_.up_to(std::chrono::milliseconds(300));
    co_await clock_.wait_until(loaded);
    if (life != life_) co_return make_error(Errc::unavailable, "it went down");
    if (const auto refusal = refuses(*request)) co_return problem(*refusal);
    if (runs_.contains(key)) co_return take_answer(key);  // by another request of the same
    Run& what = runs_[key];
    what.token = request->token;
    what.instance = name_ + "-i" + std::to_string(next_instance_++);
    what.run_token = "run-" + what.instance;
    co_return take_answer(key);
}

boost::asio::awaitable<FakeHost::Response> FakeHost::start(port::PeerRequest request) {
    namespace names = wire::run_headers;
    const std::uint64_t boot = boots_;
    std::string body = std::move(request.body);
    if (request.body_stream) {
        auto streamed = co_await port::read_all(*request.body_stream, 1u << 20);
        if (!streamed) co_return make_error(Errc::unavailable, "the body broke off");
        body = std::move(*streamed);
    }
    if (boot != boots_) co_return make_error(Errc::unavailable, "it went down");
    const RunKey key{InvocationId{header(request, names::kInvocation)},
                     static_cast<AttemptNumber>(number(header(request, names::kAttempt)))};
    if (!obey(number(header(request, names::kOwnerTerm))))
        co_return problem(make_error(Errc::conflict, "stale", "stale-owner"));
    const std::string run_token = header(request, "Authorization").substr(7);
    const auto leased = leased_by(run_token);
    if (leased && !runs_.contains(key) && !closed_.contains(key))
        start_under_lease(*leased, key, Token{header(request, names::kToken)});
    const auto found = runs_.find(key);
    if (found == runs_.end() || closed_.contains(key)) {
        if (run_token.starts_with("lease-")) notebook_.saw("starts under a lease refused");
        co_return problem(make_error(Errc::conflict, "it is not assigned here", "fenced"));
    }
    Run& what = found->second;
    if (what.token.text != header(request, names::kToken) || what.run_token != run_token)
        co_return problem(make_error(Errc::conflict, "another token", "token-mismatch"));
    if (what.stage == Stage::taken) {
        const auto timeout = std::chrono::milliseconds(number(header(request, names::kTimeoutMs)));
        // Large bodies are padded: what comes before the padding is the key.
        run(key, what, body.substr(0, body.find('.')), timeout);
    } else {
        notebook_.saw("starts repeated");
    }
    co_return json(wire::to_json(entry_of(key, what)));
}

FakeHost::Response FakeHost::kill(const std::string& body) {
    auto orders = wire::decode<std::vector<wire::KillOrder>>(body);
    if (!orders) return problem(orders.error());
    std::vector<wire::KillAnswer> answers;
    for (const wire::KillOrder& order : *orders) {
        const auto outcome = kill_one(order);
        if (!outcome) return problem(make_error(Errc::unavailable, "no answer", "instance-silent"));
        answers.push_back(wire::KillAnswer{order.key, *outcome});
    }
    return json(wire::to_json(answers));
}

std::optional<wire::KillOutcome> FakeHost::kill_one(const wire::KillOrder& order) {
    const RunKey key{order.key.invocation, order.key.attempt};
    if (!obey(order.owner.term)) return wire::KillOutcome::stale;
    if (!settle(key, order.instance, false)) return std::nullopt;
    if (lose_with_lease(key, order.token, order.instance)) return wire::KillOutcome::ended;
    if (unheard(key))
        notebook_.violation("I10", "fenced while it runs under a lease: " + key.first.text);
    const auto found = runs_.find(key);
    if (found == runs_.end() || found->second.stage == Stage::taken) {
        notebook_.saw("fences");
        closed_.insert(key);
        if (found != runs_.end()) runs_.erase(found);
        return wire::KillOutcome::fenced;
    }
    Run& what = found->second;
    if (what.stage == Stage::ended) {
        publish(key);
        return wire::KillOutcome::ended;
    }
    const bool fence = order.mode == wire::KillMode::fence;
    if (fence) notebook_.saw("fences of what ran");
    const StopCause cause = order.mode == wire::KillMode::cancel    ? StopCause::cancel
                            : order.mode == wire::KillMode::timeout ? StopCause::deadline
                                                                    : StopCause::kill;
    stop(key, what, cause, fence ? Duration::zero() : std::chrono::milliseconds(order.grace_ms));
    return wire::KillOutcome::stopping;
}

FakeHost::Response FakeHost::ack(const std::string& body) {
    auto acks = wire::decode<std::vector<wire::Ack>>(body);
    if (!acks) return problem(acks.error());
    for (const wire::Ack& one : *acks) {
        const RunKey key{one.key.invocation, one.key.attempt};
        const auto found = runs_.find(key);
        if (!obey(one.owner.term) || found == runs_.end()) continue;
        if (found->second.stage != Stage::ended) {
            // Of a copy of it, which said that the same attempt had ended.
            notebook_.saw("acknowledgements of what runs");
            continue;
        }
        closed_.insert(key);
        runs_.erase(found);
    }
    return json(wire::Json::object());
}

// "/v1/invocations/ID/attempts/N/result"
FakeHost::Response FakeHost::result(const std::string& target) {
    const std::string head = "/v1/invocations/";
    const std::string middle = "/attempts/";
    const auto split = target.find(middle);
    if (!target.starts_with(head) || split == std::string::npos)
        return problem(make_error(Errc::not_found, "no route " + target));
    const RunKey key{InvocationId{target.substr(head.size(), split - head.size())},
                     static_cast<AttemptNumber>(number(target.substr(split + middle.size())))};
    const auto found = runs_.find(key);
    if (found == runs_.end() || found->second.stage != Stage::ended)
        return problem(make_error(Errc::not_found, "no result"));
    notebook_.saw("results fetched");
    std::string bytes = found->second.result;
    if (!is_tidy_ && !bytes.empty() && random_.chance(0.1)) {
        notebook_.saw("results damaged on the way");
        bytes.front() = '?';
    }
    return test::make_response(200, std::move(bytes));
}

}  // namespace longhaul::sim
