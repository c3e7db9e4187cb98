// What a simulated runtime agent answers on its control socket and its data listener, as the routes
// of runtime_agent_ext/api do.
#include "longhaul/wire/instance_control.hpp"
#include "longhaul/wire/problem_json.hpp"
#include "longhaul/wire/run_headers.hpp"
#include "runtime_agent_ext/driver/entry.hpp"
#include "tests/sim/sim_agent.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace longhaul::sim {

namespace asio = boost::asio;
namespace agent = runtime_agent_ext;
namespace names = wire::run_headers;

namespace {

Result<port::PeerResponse> json(int status, const wire::Json& value) {
    return test::make_response(status, value.dump());
}

Result<port::PeerResponse> problem(const Error& error) {
    const int status = error.type == "load-failed" ? 422 : wire::http_status(error.code);
    return test::make_response(status, wire::problem(error).dump());
}

Result<port::PeerResponse> unauthorized() {
    return test::make_response(
        401, wire::problem(make_error(Errc::refused, "not the token", "unauthorized")).dump());
}

std::string header(const port::PeerRequest& request, std::string_view name) {
    for (const auto& [key, value] : request.headers)
        if (key == name) return value;
    return {};
}

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

agent::RunOrder order_of(const port::PeerRequest& request) {
    agent::RunOrder order;
    order.key = {InvocationId{header(request, names::kInvocation)},
                 static_cast<AttemptNumber>(number(header(request, names::kAttempt)))};
    order.token = Token{header(request, names::kToken)};
    order.shard = static_cast<Shard>(number(header(request, names::kShard)));
    order.owner_term = number(header(request, names::kOwnerTerm));
    const auto milliseconds = [&request](std::string_view name) {
        return std::chrono::milliseconds(number(header(request, name)));
    };
    order.timeout = milliseconds(names::kTimeoutMs);
    if (!header(request, names::kGraceMs).empty())
        order.timeout_grace = milliseconds(names::kGraceMs);
    if (!header(request, names::kDeadlineMs).empty())
        order.deadline = milliseconds(names::kDeadlineMs);
    return order;
}

}  // namespace

asio::awaitable<SimAgent::Response> SimAgent::control(port::PeerRequest request) {
    if (header(request, "Authorization") != "Bearer " + process_.secret) co_return unauthorized();
    if (request.target == "/v1/assign") co_return assign(request.body);
    if (request.target == "/v1/status") co_return json(200, wire::to_json(status()));
    if (request.target == "/v1/kill") co_return kill(request.body);
    if (request.target == "/v1/load") {
        auto loaded = co_await load(std::move(request.body));
        co_return loaded;
    }
    if (request.target == "/v1/destroy") {
        auto destroyed = co_await destroy();
        co_return destroyed;
    }
    co_return problem(make_error(Errc::not_found, "no route " + request.target));
}

SimAgent::Response SimAgent::assign(const std::string& body) {
    auto document = wire::parse_json(body);
    if (!document) return problem(document.error());
    auto request = wire::decode_assign(*document);
    if (!request) return problem(request.error());
    Result<void> done;
    if (request->to == wire::AssignTo::nobody) {
        done = instance_.unassign();
        if (done) site_.notebook.saw("leases taken back");
    } else {
        agent::Assignment assignment;
        assignment.key = agent::run_key(request->key);
        assignment.token = std::move(request->token);
        assignment.run_token = std::move(request->run_token);
        done = instance_.assign(std::move(assignment));
    }
    if (!done) return problem(done.error());
    return json(200, wire::Json::object());
}

asio::awaitable<SimAgent::Response> SimAgent::load(std::string body) {
    auto request = wire::decode<wire::LoadRequest>(body);
    if (!request) co_return problem(request.error());
    std::string fingerprint = wire::to_json(*request).set("load_ms", 0).dump();
    const Duration limit = std::chrono::milliseconds(request->load_ms);
    Actions actions;
    auto begun = instance_.begin_load(site_.clock.now(), std::move(fingerprint), limit, actions);
    if (!begun) co_return problem(begun.error());
    if (*begun) {
        const RetrySpec& retry = request->function.retry;
        retry_on_lost_ = retry.max_attempts > 1 && has(retry.on, FailureReason::lost);
        apply(actions);
        const Duration most =
            site_.random.chance(0.01) ? limit * 2 : Duration(std::chrono::milliseconds(300));
        const bool is_broken = request->function.name.text == "broken";
        site_.clock.call_at(site_.clock.now() + site_.random.up_to(most),
                            [this, is_broken] { end_load(is_broken); });
    }
    while (instance_.state() == agent::InstanceState::loading) co_await changed_.wait();
    if (instance_.load_error()) co_return problem(*instance_.load_error());
    wire::Json trace = wire::Json::object();
    trace.set("load", 1.0);
    wire::Json answer = wire::Json::object();
    answer.set("proto", wire::kProto);
    answer.set("trace", std::move(trace));
    co_return json(200, answer);
}

void SimAgent::end_load(bool is_broken) {
    if (is_gone_) return;
    Result<void> result;
    if (is_broken) result = make_error(Errc::refused, "no module named app", "load-failed");
    Actions actions;
    instance_.load_ended(site_.clock.now(), std::move(result), actions);
    apply(actions);
}

SimAgent::Response SimAgent::kill(const std::string& body) {
    auto orders = wire::decode<std::vector<wire::KillOrder>>(body);
    if (!orders) return problem(orders.error());
    std::vector<wire::KillAnswer> answers;
    for (const wire::KillOrder& order : *orders) {
        Actions actions;
        const auto grace = std::chrono::milliseconds(std::max<std::int64_t>(order.grace_ms, 0));
        const agent::RunKey key = agent::run_key(order.key);
        const auto verdict =
            instance_.stop(site_.clock.now(), key, order.token, agent::stop_mode(order.mode), grace,
                           actions, order.reason);
        apply(actions);
        answers.push_back({order.key, agent::kill_outcome(verdict)});
    }
    return json(200, wire::to_json(answers));
}

asio::awaitable<SimAgent::Response> SimAgent::destroy() {
    Actions actions;
    instance_.destroy(site_.clock.now(), actions);
    apply(actions);
    while (!exit_) co_await changed_.wait();
    co_return json(200, wire::Json::object());
}

bool SimAgent::run_token_allows(std::string_view token, std::string_view id) const {
    const auto opens = [token](const agent::Assignment& given) { return given.run_token == token; };
    if (std::ranges::any_of(instance_.assignments(), opens)) return true;
    return std::ranges::any_of(instance_.runs(), [&](const agent::Run& run) {
        return run.key.invocation.text == id && run.run_token == token;
    });
}

asio::awaitable<SimAgent::Response> SimAgent::data(port::PeerRequest request) {
    const std::string token = header(request, "Authorization").substr(7);
    if (!run_token_allows(token, header(request, names::kInvocation))) {
        if (token.starts_with("lease-")) site_.notebook.saw("starts under a lease refused");
        co_return unauthorized();
    }
    std::string body = std::move(request.body);
    if (request.body_stream) {
        auto streamed = co_await port::read_all(*request.body_stream, 1u << 20);
        if (!streamed) co_return make_error(Errc::unavailable, "the body broke off");
        body += *streamed;
    }
    if (is_gone_) co_return make_error(Errc::unavailable, "it went down");
    co_return start(request, std::move(body));
}

SimAgent::Response SimAgent::start(const port::PeerRequest& request, std::string body) {
    agent::RunOrder order = order_of(request);
    const agent::RunKey key = order.key;
    order.run_token = header(request, "Authorization").substr(7);
    const bool is_leased = order.run_token.starts_with("lease-");
    // Large bodies are padded: what comes before the padding is the key.
    const std::string text = body.substr(0, body.find('.'));
    Actions actions;
    auto started = instance_.start(site_.clock.now(), order, actions);
    if (!started) {
        if (is_leased) site_.notebook.saw("starts under a lease refused");
        return problem(started.error());
    }
    if (*started) {
        body_ = text;
        if (is_leased) site_.notebook.saw("runs under a lease");
        if (is_leased && !site_.host_is_up)
            site_.notebook.saw("runs under a lease while the agent is down");
        apply(actions);
    } else {
        site_.notebook.saw("starts repeated");
    }
    const agent::EntryIdentity identity{"agent-" + id_.text, id_};
    const wire::StatusEntry entry =
        agent::entry_of(*instance_.find(key), identity, site_.clock.now());
    return json(*started ? 202 : 200, wire::to_json(entry));
}

}  // namespace longhaul::sim
