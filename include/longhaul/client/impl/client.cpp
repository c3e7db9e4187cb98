#include "longhaul/client/client.hpp"

#include "longhaul/client/decode.hpp"
#include "longhaul/client/impl/patience.hpp"
#include "longhaul/client/impl/words.hpp"

#include <fmt/format.h>

#include <random>

namespace longhaul::client {
namespace {

using boost::asio::awaitable;
using port::PeerRequest;
using wire::Json;

constexpr std::uint64_t kProblemBytesMax = 256 * 1024;

// Unique, not secret.
std::string make_key() {
    std::random_device device;
    const auto word = [&device] { return (std::uint64_t{device()} << 32) | device(); };
    const auto high = word();
    return hex(high, word());
}

PeerRequest request_for(std::string method, std::string target) {
    PeerRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    return request;
}

std::string invocation_path(const InvocationId& id, std::string_view rest = {}) {
    return fmt::format("/v1/invocations/{}{}", url_encode(id.text), rest);
}

std::string function_path(const FunctionName& name, std::string_view rest = {}) {
    return fmt::format("/v1/functions/{}{}", url_encode(name.text), rest);
}

PeerRequest submit_request(SubmitRequest& from) {
    PeerRequest request = request_for(
        from.id ? "PUT" : "POST",
        function_path(from.function, from.id ? "/invocations/" + url_encode(from.id->text)
                                             : std::string("/invocations")));
    const auto add = [&request](std::string_view name, const std::string& value) {
        if (!value.empty()) request.headers.emplace_back(name, value);
    };
    add("Content-Type", from.content_type);
    if (!from.idempotency_key.empty()) add("Idempotency-Key", '"' + from.idempotency_key + '"');
    add("Invocation-Timeout", from.timeout);
    add("Invocation-Queue-TTL", from.queue_ttl);
    add("Invocation-Deadline", from.deadline);
    add("Invocation-Not-Before", from.not_before);
    add("Invocation-Concurrency-Key", from.concurrency_key);
    add("Invocation-Retry", from.retry);
    if (!from.priority.empty()) add("Priority", "u=" + from.priority);
    for (const auto& [key, value] : from.labels) add("Invocation-Label", key + "=" + value);
    request.body = std::move(from.body);
    return request;
}

// Whether the same submit, under the same key, may succeed if sent again at once.
bool is_unsure(const Error& error) {
    return error.code == Errc::timed_out || (error.code == Errc::unavailable && error.type.empty());
}

}  // namespace

Client::Client(port::Peer& peer, ClientOptions options)
    : peer_(peer), options_(std::move(options)) {
    auto address = parse_server(options_.address.empty() ? options_.server : options_.address);
    if (address) {
        address_ = std::move(*address);
    } else {
        address_problem_ = address.error().message;
    }
}

bool Client::may_come_back(const Error& error) const {
    return met_ && is_passing(error) && error.type != kNotLonghaul;
}

awaitable<Result<port::PeerResponse>> Client::call(PeerRequest request, Duration limit) {
    if (!address_problem_.empty()) co_return make_error(Errc::invalid_argument, address_problem_);
    if (!options_.tenant.empty())
        request.headers.emplace_back("Invocation-Tenant", options_.tenant);
    std::string address = address_;
    auto response = co_await peer_.call(std::move(address), std::move(request), limit);
    if (!response) co_return explain(options_, response.error());
    if (response->status < 400) {
        met_ = true;
        co_return response;
    }
    auto problem = co_await port::read_all(*response->body, kProblemBytesMax);
    Error error = refusal(options_, response->status, response->header("Content-Type"),
                          problem ? std::string_view(*problem) : std::string_view());
    met_ = met_ || error.type != kNotLonghaul;
    co_return error;
}

awaitable<Result<Json>> Client::call_json(PeerRequest request, Duration limit) {
    auto response = co_await call(std::move(request), limit);
    if (!response) co_return response.error();
    auto body = co_await port::read_all(*response->body, options_.document_bytes_max);
    if (!body) co_return explain(options_, body.error());
    if (body->empty()) co_return Json();
    auto json = wire::parse_json(*body);
    if (!json) co_return not_longhaul(options_, "its answer is " + json.error().message);
    co_return std::move(*json);
}

awaitable<Result<Submitted>> Client::submit_once(SubmitRequest from) {
    auto request = submit_request(from);
    auto response = co_await call(std::move(request), options_.call_limit);
    if (!response) co_return response.error();
    const bool replayed =
        response->header("Idempotency-Replayed") == "true" || (from.id && response->status == 200);
    auto body = co_await port::read_all(*response->body, options_.document_bytes_max);
    if (!body) co_return explain(options_, body.error());
    auto json = wire::parse_json(*body);
    if (!json) co_return not_longhaul(options_, "its answer is " + json.error().message);
    auto status = decode_status(std::move(*json));
    if (!status) co_return status.error();
    co_return Submitted{std::move(*status), replayed};
}

awaitable<Result<Submitted>> Client::submit(SubmitRequest request) {
    if (!request.id && request.idempotency_key.empty()) request.idempotency_key = make_key();
    Patience patience(options_.reconnect_limit);
    bool sent = false;  // once it may have arrived, it is asked until it is certain
    while (true) {
        SubmitRequest copy = request;
        auto submitted = co_await submit_once(std::move(copy));
        if (submitted) co_return submitted;
        sent = sent || is_unsure(submitted.error());
        const bool again = sent && is_passing(submitted.error());
        const auto length = again ? patience.next() : std::nullopt;
        if (!length) co_return submitted;
        co_await pause(*length);
    }
}

awaitable<Result<InvocationStatus>> Client::get(InvocationId id) {
    auto request = request_for("GET", invocation_path(id));
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_status(std::move(*json));
}

awaitable<Result<InvocationStatus>> Client::get_after(InvocationStatus known, Duration wait) {
    auto target = fmt::format("{}?wait={}ms&revision={}.{}", invocation_path(known.id), to_ms(wait),
                              known.revision, known.status_version);
    auto request = request_for("GET", std::move(target));
    auto json = co_await call_json(std::move(request), wait + options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_status(std::move(*json));
}

awaitable<Result<ResultInfo>> Client::result_once(InvocationId id, ByteSink& sink,
                                                  ResultInfo& info) {
    auto request = request_for("GET", invocation_path(id, "/result"));
    auto response = co_await call(std::move(request), options_.call_limit);
    if (!response) co_return response.error();
    if (response->status == 202)
        co_return make_error(Errc::conflict, "it has not ended yet, so there is no result",
                             "still-live");
    info.content_type = std::string(response->header("Content-Type"));
    while (true) {
        auto chunk = co_await response->body->read();
        if (!chunk) co_return explain(options_, chunk.error());
        if (chunk->empty()) co_return info;
        info.size += chunk->size();
        if (auto taken = sink(*chunk); !taken) co_return taken.error();
    }
}

// What the sink has taken cannot be taken back: only a result that has not begun begins again.
awaitable<Result<ResultInfo>> Client::result(InvocationId id, ByteSink sink) {
    Patience patience(options_.reconnect_limit);
    while (true) {
        ResultInfo info;
        InvocationId of = id;
        auto done = co_await result_once(std::move(of), sink, info);
        if (done || info.size > 0 || !may_come_back(done.error())) co_return done;
        const auto length = patience.next();
        if (!length) co_return done;
        co_await pause(*length);
    }
}

awaitable<Result<InvocationStatus>> Client::stop(std::string verb, StopRequest stop) {
    auto request = request_for("POST", invocation_path(stop.id, "/" + verb));
    Json body = Json::object();
    if (!stop.grace.empty()) body.set("grace", stop.grace);
    if (!stop.reason.empty()) body.set("reason", stop.reason);
    request.body = body.dump();
    request.headers.emplace_back("Content-Type", "application/json");
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_status(std::move(*json));
}

awaitable<Result<InvocationStatus>> Client::cancel(StopRequest request) {
    return stop("cancel", std::move(request));
}

awaitable<Result<InvocationStatus>> Client::kill(StopRequest request) {
    request.grace.clear();
    return stop("kill", std::move(request));
}

awaitable<Result<ListPage>> Client::list(ListFilter filter) {
    auto request = request_for("GET", "/v1/invocations" + list_query(filter));
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_page(std::move(*json));
}

awaitable<Result<Json>> Client::list_hosts() {
    return call_json(request_for("GET", "/v1/hosts"), options_.call_limit);
}

awaitable<Result<InstanceList>> Client::list_instances() {
    auto request = request_for("GET", "/v1/instances");
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_instances(std::move(*json));
}

awaitable<Result<HostDrain>> Client::get_drain(HostId host) {
    auto request = request_for("GET", "/v1/hosts/" + url_encode(host.text) + "/drain");
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_drain(std::move(*json));
}

awaitable<Result<HostDrain>> Client::drain(DrainRequest drain) {
    auto request = request_for("POST", "/v1/hosts/" + url_encode(drain.host.text) + "/drain");
    Json body = Json::object();
    body.set("drain", drain.drain);
    if (!drain.by.empty()) body.set("drain_by", drain.by);
    if (!drain.reason.empty()) body.set("reason", drain.reason);
    request.body = body.dump();
    request.headers.emplace_back("Content-Type", "application/json");
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return decode_drain(std::move(*json));
}

awaitable<Result<Json>> Client::put_function(FunctionName name, Json document) {
    auto request = request_for("PUT", function_path(name));
    request.body = document.dump();
    request.headers.emplace_back("Content-Type", "application/json");
    return call_json(std::move(request), options_.call_limit);
}

awaitable<Result<Json>> Client::get_function(FunctionName name) {
    return call_json(request_for("GET", function_path(name)), options_.call_limit);
}

awaitable<Result<Json>> Client::list_functions() {
    return call_json(request_for("GET", "/v1/functions"), options_.call_limit);
}

awaitable<Result<void>> Client::delete_function(FunctionName name) {
    auto request = request_for("DELETE", function_path(name));
    auto json = co_await call_json(std::move(request), options_.call_limit);
    if (!json) co_return json.error();
    co_return Result<void>();
}

awaitable<Result<Package>> Client::upload_package(FunctionName name, std::string archive) {
    auto request = request_for("POST", function_path(name, "/versions"));
    request.headers.emplace_back("Content-Type", "application/octet-stream");
    request.body = std::move(archive);
    auto json = co_await call_json(std::move(request), options_.upload_limit);
    if (!json) co_return json.error();
    const auto* digest = (*json)["package"].as_string();
    if (!digest) co_return make_error(Errc::internal, "the server's answer names no package");
    auto parsed = parse_digest(*digest);
    if (!parsed) co_return parsed.error();
    Package package{std::move(*parsed)};
    if (const auto* size = (*json)["size"].as_integer())
        package.size = static_cast<std::uint64_t>(*size);
    co_return package;
}

}  // namespace longhaul::client
