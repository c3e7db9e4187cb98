#include "longhaul/wire/base64.hpp"
#include "runtime_agent_ext/api/routes.hpp"
#include "runtime_agent_ext/driver/handle.hpp"

#include <string>

namespace longhaul::runtime_agent_ext {
namespace {

using Answer = boost::asio::awaitable<net::Response>;

constexpr std::uint64_t kErrorBodyMax = 1u << 20;        // bytes, of an error document
constexpr std::uint64_t kProgressBodyMax = 16 * 1024;    // bytes
constexpr std::uint64_t kResponseBodyMax = 16ull << 30;  // bytes; the function's result_max decides
constexpr std::string_view kErrorType = "Lambda-Runtime-Function-Error-Type";
constexpr std::string_view kErrorBody = "Lambda-Runtime-Function-Error-Body";
constexpr Duration kNone = Duration::zero();  // long polls have no deadline

Result<HandlerRunner*> allowed_handler(Agent& agent, const net::Request& request) {
    HandlerRunner* handler = agent.handler();
    if (handler == nullptr) return make_error(Errc::not_found, "no handler runs here");
    if (!handler->token_allows(request.header("Longhaul-Runtime-Token").value_or("")))
        return make_error(Errc::not_found, "the runtime token is wrong");
    return handler;
}

net::Response accepted() {
    wire::Json status = wire::Json::object();
    status.set("status", "OK");
    return net::json_response(202, status);
}

// What the runtime says went wrong: a Lambda error document, or nothing that can be read.
struct RuntimeError {
    std::string type;
    std::string message;
};

RuntimeError runtime_error(const net::Request& request, std::string_view body) {
    RuntimeError error;
    error.type = request.header(kErrorType).value_or("");
    auto document = wire::parse_json(body);
    if (!document) return error;
    if (const auto* message = (*document)["errorMessage"].as_string()) error.message = *message;
    if (const auto* type = (*document)["errorType"].as_string()) error.type = *type;
    return error;
}

RuntimeError streamed_error(const net::Request& request) {
    const auto body = wire::base64_decode(request.header(kErrorBody).value_or(""));
    return runtime_error(request, body ? *body : std::string());
}

// As AWS says that the request id is none of the invocation that is on.
net::Response lambda_problem(const Error& error) {
    wire::Json document = wire::Json::object();
    document.set("errorType", "InvalidRequestID");
    document.set("errorMessage", error.message);
    return net::json_response(400, document);
}

Answer next_load(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    auto document = co_await (*handler)->next_load();
    if (!document) co_return net::problem_response(document.error());
    net::Response response;
    response.body = std::move(*document);
    response.with("Content-Type", "application/json");
    co_return response;
}

Answer load_done(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    auto json = co_await net::read_json(request, kProgressBodyMax);
    const bool known = json && (*json)["import_ms"].is_number();
    (*handler)->load_done(known ? (*json)["import_ms"].number() : 0);
    co_return accepted();
}

Answer load_error(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    auto body = co_await port::read_all(*request.body, kErrorBodyMax);
    if (!body) co_return net::problem_response(body.error());
    RuntimeError error = runtime_error(request, *body);
    (*handler)->load_failed(std::move(error.type), std::move(error.message));
    co_return accepted();
}

// A W3C traceparent, 00-<32 hex>-<16 hex>-<flags>, as the trace header of AWS X-Ray.
std::string trace_id_of(std::string_view parent) {
    if (parent.size() != 55 || !parent.starts_with("00-")) return {};
    std::string id = "Root=1-";
    id.append(parent.substr(3, 8)).append("-").append(parent.substr(11, 24));
    id.append(";Parent=").append(parent.substr(36, 16));
    const bool sampled = std::string_view("13579bdf").find(parent.back()) != std::string_view::npos;
    id.append(sampled ? ";Sampled=1" : ";Sampled=0");
    return id;
}

net::Response invocation_response(const HandlerRunner::Next& next, const HandlerRunner& handler) {
    const RunInput& input = *next.input;
    net::Response response;
    const auto add = [&response](const char* name, const std::string& value) {
        if (!value.empty()) response.with(name, value);
    };
    // Runtime clients in C++ crash without a content type.
    response.with("Content-Type",
                  input.content_type.empty() ? "application/json" : input.content_type);
    response.with("Lambda-Runtime-Aws-Request-Id", input.order.key.invocation.text);
    response.with("Lambda-Runtime-Deadline-Ms", std::to_string(next.deadline_unix_ms));
    response.with("Lambda-Runtime-Invoked-Function-Arn",
                  "arn:longhaul:lambda:local:" + handler.loaded()->tenant.text +
                      ":function:" + handler.loaded()->function.name.text);
    add("Lambda-Runtime-Trace-Id", trace_id_of(input.traceparent));
    add("Longhaul-Content-Type", input.content_type);
    add("Longhaul-Traceparent", input.traceparent);
    add("Longhaul-Headers", input.headers_json);
    add("Longhaul-Labels", input.labels_json);
    response.with("Longhaul-Attempt", std::to_string(input.order.key.attempt));
    response.with("Longhaul-Progress-Path", next.progress_path);
    response.with("Longhaul-Heartbeat-Path", next.heartbeat_path);
    return response;
}

Answer next_invocation(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    auto next = co_await (*handler)->next_invocation();
    if (!next) co_return net::problem_response(next.error());
    net::Response response = invocation_response(*next, **handler);
    const Body& body = next->input->body;
    if (body.in_memory()) {
        response.body = body.bytes();
        // Clients of AWS Lambda know no invocation without a JSON document.
        if (response.body.empty() && (*handler)->is_custom()) response.body = "{}";
        co_return response;
    }
    auto stream = body.stream();
    if (!stream) co_return net::problem_response(stream.error());
    response.stream = std::move(*stream);
    response.stream_bytes = body.size();
    co_return response;
}

Answer next_cancel(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    auto next = co_await (*handler)->next_cancel();
    if (!next) co_return net::problem_response(next.error());
    wire::Json document = wire::Json::object();
    document.set("invocation", next->invocation.text);
    document.set("attempt", std::int64_t{next->attempt});
    co_return net::json_response(200, document);
}

Answer respond(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    const std::string id = request.param("id");
    auto writer = (*handler)->begin_response(id);
    if (!writer) co_return lambda_problem(writer.error());
    for (;;) {
        auto chunk = co_await request.body->read();
        if (!chunk) co_return net::problem_response(chunk.error());
        if (chunk->empty()) break;
        (*writer)->write(*chunk);
    }
    // A streamed response that went wrong says so in its trailers.
    if (request.header(kErrorType)) {
        RuntimeError error = streamed_error(request);
        auto done = (*handler)->fail(id, std::move(error.type), std::move(error.message), false);
        co_return done ? accepted() : lambda_problem(done.error());
    }
    std::string content_type(request.header("Content-Type").value_or(""));
    auto done = (*handler)->respond(id, std::move(*writer), std::move(content_type));
    if (!done) co_return lambda_problem(done.error());
    co_return accepted();
}

Answer fail(Agent& agent, net::Request& request) {
    auto handler = allowed_handler(agent, request);
    if (!handler) co_return net::problem_response(handler.error());
    const std::string id = request.param("id");
    auto body = co_await port::read_all(*request.body, kErrorBodyMax);
    if (!body) co_return net::problem_response(body.error());
    RuntimeError error = runtime_error(request, *body);
    const bool ends = request.header("Longhaul-Runtime-Ends").has_value();
    auto done = (*handler)->fail(id, std::move(error.type), std::move(error.message), ends);
    if (!done) co_return lambda_problem(done.error());
    co_return accepted();
}

Answer progress(Agent& agent, net::Request& request) {
    const std::string token = request.param("token");
    auto json = co_await net::read_json(request, kProgressBodyMax);
    if (!json) co_return net::problem_response(json.error());
    wire::ObjectReader reader(*json);
    double percent = 0;
    std::string message;
    reader.real("percent", percent);
    reader.text("message", message);
    if (auto read = reader.finish(); !read) co_return net::problem_response(read.error());
    if (!(percent >= 0 && percent <= 100))
        co_return net::problem_response(
            make_error(Errc::invalid_argument, "percent must be from 0 to 100"));
    auto done = agent.progress(token, percent, std::move(message));
    if (!done) co_return net::problem_response(done.error());
    co_return accepted();
}

Answer heartbeat(Agent& agent, net::Request& request) {
    auto done = agent.heartbeat(request.param("token"));
    if (!done) co_return net::problem_response(done.error());
    co_return accepted();
}

}  // namespace

std::vector<net::Route> runtime_routes(Agent& agent) {
    const auto route = [&agent](std::string method, std::string pattern, std::uint64_t body_max,
                                Answer (*handler)(Agent&, net::Request&)) {
        net::Route result;
        result.method = std::move(method);
        result.pattern = std::move(pattern);
        result.handler = [&agent, handler](net::Request& request) {
            return handler(agent, request);
        };
        result.body_max = body_max;
        result.deadline = kNone;
        return result;
    };
    const std::string api = "/2018-06-01/runtime";
    return {
        route("GET", api + "/load/next", 0, next_load),
        route("POST", api + "/load/done", kProgressBodyMax, load_done),
        route("POST", api + "/load/error", kErrorBodyMax, load_error),
        route("POST", api + "/init/error", kErrorBodyMax, load_error),
        route("GET", api + "/invocation/next", 0, next_invocation),
        route("GET", api + "/cancel/next", 0, next_cancel),
        route("POST", api + "/invocation/{id}/response", kResponseBodyMax, respond),
        route("POST", api + "/invocation/{id}/error", kErrorBodyMax, fail),
        route("POST", "/v1/runs/{token}/progress", kProgressBodyMax, progress),
        route("POST", "/v1/runs/{token}/heartbeat", kProgressBodyMax, heartbeat),
    };
}

}  // namespace longhaul::runtime_agent_ext
