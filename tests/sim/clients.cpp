#include "tests/sim/clients.hpp"

#include "tests/sim/policies.hpp"

namespace longhaul::sim {
namespace {

std::string key_of(std::uint64_t number) { return "k" + std::to_string(number); }

FunctionName function_of(std::uint64_t number) {
    if (number % 17 == 0) return FunctionName{"broken"};
    if (const char* again = tried_again(number)) return FunctionName{again};
    if (number % 8 == 1) return FunctionName{"long"};
    return FunctionName{number % 3 == 0 ? "g" : "f"};
}

gateway::SubmitInput input_of(std::uint64_t number, port::ByteSource& body, TimePoint now) {
    gateway::SubmitInput input;
    input.tenant = kTenants[number % 5 == 2 ? 1 : 0];
    input.function = function_of(number);
    input.content_type = "text/plain";
    input.options.idempotency_key = key_of(number);
    // Some are urgent, some are not, and most of those of "g" share something.
    if (number % 4 == 1) input.options.priority = static_cast<std::uint8_t>(number % 8);
    if (number % 3 == 0 && number % 9 != 0)
        input.options.concurrency_key = "c" + std::to_string(number % 2);
    if (number % 5 == 0) input.chosen_id = InvocationId{"chosen-" + std::to_string(number)};
    if (number % 7 == 0) input.options.queue_ttl = std::chrono::seconds(15);
    if (number % 11 == 0) input.options.timeout = std::chrono::seconds(3);
    input.options = with_policies(std::move(input.options), number, now);
    input.body = &body;
    return input;
}

// Every fourth is large enough to be a file.
std::string body_of(std::uint64_t number) {
    std::string body = key_of(number);
    if (number % 4 == 0) body.resize(3000, '.');
    return body;
}

// What a gateway may answer that is stopping, dying, or full.
bool says_nothing(const Error& error) {
    return error.code == Errc::unavailable || error.code == Errc::overloaded ||
           error.code == Errc::io_failed || error.code == Errc::cancelled;
}

}  // namespace

TenantName Clients::tenant_of(const InvocationId& id) const {
    return witness_.tenant_of(id).value_or(kTenants[0]);
}

void Clients::take(const InvocationId& id, const Result<gateway::Snapshot>& answer) {
    if (answer) {
        witness_.shown(answer->invocation);
        notebook_.read(answer->invocation);
    } else if (!says_nothing(answer.error())) {
        notebook_.not_found(id, answer.error().message);
    }
}

boost::asio::awaitable<void> Clients::submit(gateway::Gateway& gateway, std::uint64_t number) {
    const std::string text = body_of(number);
    const auto body = test::make_source(text);
    gateway::SubmitInput input = input_of(number, *body, clock_.now());
    auto answer = co_await gateway.submit(std::move(input));
    if (answer) {
        witness_.accepted(answer->id);
        notebook_.accepted(key_of(number), key_of(number), answer->id, answer->replayed);
    } else if (!says_nothing(answer.error())) {
        notebook_.violation(
            "I2", "submit of " + key_of(number) + " was refused: " + answer.error().message);
    }
}

boost::asio::awaitable<void> Clients::misuse_key(gateway::Gateway& gateway, std::uint64_t number) {
    const bool known = notebook_.id_of(key_of(number)) != nullptr;
    if (!known) co_return;
    const auto body = test::make_source("another body");
    gateway::SubmitInput input = input_of(number, *body, clock_.now());
    auto answer = co_await gateway.submit(std::move(input));
    if (answer)
        notebook_.violation("I2", key_of(number) + " was accepted with another body");
    else if (answer.error().code == Errc::mismatch)
        notebook_.saw("keys misused");
    else if (!says_nothing(answer.error()))
        notebook_.violation("I2", key_of(number) + " misused: " + answer.error().message);
}

boost::asio::awaitable<void> Clients::read(gateway::Gateway& gateway, InvocationId id) {
    TenantName tenant = tenant_of(id);
    InvocationId which = id;
    auto answer = co_await gateway.get(std::move(tenant), std::move(which));
    take(id, answer);
}

boost::asio::awaitable<void> Clients::wait_end(gateway::Gateway& gateway, InvocationId id) {
    TenantName tenant = tenant_of(id);
    InvocationId which = id;
    const TimePoint until = clock_.now() + std::chrono::seconds(20);
    auto answer = co_await gateway.wait_end(std::move(tenant), std::move(which), until);
    take(id, answer);
    if (answer && is_terminal(answer->invocation.state)) notebook_.saw("ends waited for");
}

boost::asio::awaitable<void> Clients::stop(gateway::Gateway& gateway, InvocationId id,
                                           StopCause cause) {
    gateway::StopRequest request;
    request.id = id;
    request.tenant = tenant_of(id);
    request.cause = cause;
    request.by = "api";
    auto answer = co_await gateway.stop_invocation(std::move(request));
    if (answer) {
        notebook_.trace("client: " + std::string(to_string(cause)) + " of " + id.text);
        notebook_.stop_accepted(id);
        witness_.shown(answer->invocation);
        notebook_.read(answer->invocation);
        notebook_.saw("stops accepted");
    } else if (answer.error().code != Errc::conflict) {
        take(id, answer);
    }
}

boost::asio::awaitable<void> Clients::cancel_then_kill(gateway::Gateway& gateway, InvocationId id,
                                                       Duration patience) {
    InvocationId which = id;
    co_await stop(gateway, std::move(which), StopCause::cancel);
    const TimePoint until = clock_.now() + patience;
    co_await clock_.wait_until(until);
    co_await stop(gateway, std::move(id), StopCause::kill);
}

boost::asio::awaitable<void> Clients::pause(gateway::Gateway& gateway, FunctionName name,
                                            bool paused) {
    TenantName tenant = kTenants[0];
    auto answer = co_await gateway.pause(std::move(tenant), std::move(name), paused);
    if (!answer && !says_nothing(answer.error()))
        notebook_.violation("I1", "a function is gone: " + answer.error().message);
}

boost::asio::awaitable<void> Clients::put_function(gateway::Gateway& gateway, FunctionSpec spec) {
    for (const TenantName& one : kTenants) {
        TenantName tenant = one;
        FunctionSpec what = spec;
        auto answer = co_await gateway.put_function(std::move(tenant), std::move(what));
        if (answer) notebook_.saw("functions put");
    }
}

boost::asio::awaitable<void> Clients::put_limits(gateway::Gateway& gateway, RunLimits limits) {
    auto answer = co_await gateway.put_limits(limits);
    if (answer) notebook_.saw("limits put");
}

boost::asio::awaitable<void> Clients::read_all(gateway::Gateway& gateway, bool deep) {
    std::vector<InvocationId> ids;
    for (const auto& [id, told] : notebook_.told()) ids.push_back(id);
    for (const auto& [id, count] : notebook_.starts()) ids.push_back(id);
    for (const InvocationId& id : ids) {
        TenantName tenant = tenant_of(id);
        InvocationId which = id;
        auto answer = co_await gateway.get(std::move(tenant), std::move(which));
        if (!answer && answer.error().code == Errc::not_found && notebook_.starts().contains(id))
            notebook_.violation("I8", id.text + " ran and is not recorded");
        take(id, answer);
        if (!deep || !answer || !answer->invocation.result) continue;
        Invocation invocation = answer->invocation;
        co_await check_result(gateway, std::move(invocation));
    }
}

boost::asio::awaitable<void> Clients::check_result(gateway::Gateway& gateway,
                                                   Invocation invocation) {
    const auto found = notebook_.told().find(invocation.id);
    if (found == notebook_.told().end()) co_return;
    const std::string expected = "result of " + found->second.body;
    Content content = *invocation.result;
    const std::uint64_t size = content.size;
    auto stream = co_await gateway.read_result(std::move(content), 0, size);
    if (!stream) {
        notebook_.violation(
            "I1", "the result of " + invocation.id.text + " is gone: " + stream.error().message);
        co_return;
    }
    auto bytes = co_await port::read_all(**stream, 1u << 20);
    if (!bytes || !bytes->starts_with(expected) || bytes->size() != size)
        notebook_.violation("I1", "the result of " + invocation.id.text + " is not what it gave");
    notebook_.saw("results checked");
}

}  // namespace longhaul::sim
