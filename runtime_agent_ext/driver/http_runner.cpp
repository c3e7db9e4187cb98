#include "runtime_agent_ext/driver/http_runner.hpp"

#include "longhaul/port/clock.hpp"
#include "runtime_agent_ext/driver/entry.hpp"
#include "runtime_agent_ext/driver/retry_after.hpp"
#include "runtime_agent_ext/driver/run_logs.hpp"
#include "runtime_agent_ext/driver/server_port.hpp"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace longhaul::runtime_agent_ext {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kWhat = "the server";
constexpr int kPortTries = 5;  // another may take the port that was just free
constexpr Duration kProbePauseMin = std::chrono::milliseconds(2);
constexpr Duration kProbePauseMax = std::chrono::milliseconds(100);
constexpr Duration kProbeTimeout = std::chrono::seconds(2);  // of a GET of the ready_path
// A broken connection is often the first that is heard of a process that ended.
constexpr Duration kEndLimit = std::chrono::seconds(1);
constexpr Duration kEndPause = std::chrono::milliseconds(2);
// Above any grace: what stops a run is the instance, and its server's end ends the call.
constexpr Duration kCallSlack = std::chrono::hours(2);

// What a server may say Retry-After with.
constexpr int kTooManyRequests = 429;
constexpr int kUnavailable = 503;

std::string address_of(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

bool is_success(int status) { return status >= 200 && status <= 299; }

FunctionEnd failure(FailureReason reason, std::string message) {
    FunctionEnd end;
    end.reason = reason;
    end.message = std::move(message);
    return end;
}

// The caller's own headers, which travel as one JSON object.
void add_headers(const std::string& json, port::Headers& out) {
    if (json.empty()) return;
    const auto headers = wire::parse_json(json);
    if (!headers || !headers->as_object()) return;
    for (const auto& [name, value] : *headers->as_object())
        if (const auto* text = value.as_string()) out.emplace_back(name, *text);
}

}  // namespace

HttpRunner::HttpRunner(Surroundings& surroundings, Census& census, RunnerEvents& events,
                       port::Peer& peer, std::string progress_url)
    : surroundings_(surroundings),
      events_(events),
      peer_(peer),
      progress_url_(std::move(progress_url)),
      account_(surroundings, census) {}

void HttpRunner::load(const wire::LoadRequest& request) {
    loaded_ = request;
    if (request.function.command.empty()) {
        events_.load_ended(
            make_error(Errc::invalid_argument, "the function has no command", "load-failed"));
        return;
    }
    surroundings_.tasks.start("bring up the server", bring_up());
}

void HttpRunner::start(const RunInput& input, TimePoint ends_at, std::string function_token) {
    const RunKey key = input.order.key;
    Call call{key, ++last_number_,
              std::make_shared<net::Interruption>(surroundings_.tasks.executor()),
              ends_at - surroundings_.clock.now() + kCallSlack};
    const double cpu_from = account_.begin(*process_, runs_.empty());
    runs_.emplace(key, OnRun{call.number, cpu_from, call.interruption});
    auto request = request_of(input, ends_at, function_token);
    if (!request) {
        finish(key, failure(FailureReason::error, request.error().message));
        return;
    }
    surroundings_.tasks.start("post a run", post(std::move(call), std::move(*request)));
    events_.function_started(key);
}

void HttpRunner::forget(const RunKey& key) {
    const auto run = runs_.find(key);
    if (run == runs_.end()) return;
    run->second.interruption->raise();
    runs_.erase(run);
}

bool HttpRunner::is_current(const Call& call) const {
    const auto run = runs_.find(call.key);
    return run != runs_.end() && run->second.number == call.number;
}

void HttpRunner::terminate() {
    if (process_) process_->signal_group(SIGTERM);
}

void HttpRunner::drain_output() {
    if (process_) process_->drain_output();
}

asio::awaitable<void> HttpRunner::bring_up() {
    for (int tries = kPortTries; tries > 0; --tries) {
        if (auto started = start_server(); !started) {
            events_.load_ended(make_error(Errc::io_failed, started.error().message));
            co_return;
        }
        ready_ = co_await wait_ready();
        if (ready_) {
            drain_output();
            account_.open(*process_);
            events_.load_ended({});
            co_return;
        }
        if (!is_served(port_)) break;  // it did not end because its port was taken
    }
    events_.process_gone(how_it_ended(*early_end_, kWhat) + " before it was ready");
}

Result<void> HttpRunner::start_server() {
    auto port = free_loopback_port();
    if (!port) return port.error();
    port_ = *port;
    early_end_.reset();
    FunctionProcess::Events events;
    events.output = [this](wire::LogStream stream, std::string_view bytes) {
        events_.output(stream, bytes);
    };
    events.executed = [this](Result<void> result) {
        if (!result) events_.process_gone("the server does not start: " + result.error().message);
    };
    events.ended = [this](const process::ProcessEnd& end) { on_end(end); };
    process_ = std::make_unique<FunctionProcess>(surroundings_, std::move(events));

    const auto& function = loaded_->function;
    const std::string text = std::to_string(port_);
    const Environment ours{{"PORT", text},
                           {"LONGHAUL_PORT", text},
                           {"LONGHAUL_FUNCTION", function.name.text},
                           {"LONGHAUL_TENANT", loaded_->tenant.text}};
    FunctionProcess::Plan plan;
    plan.argv = function.command;
    plan.env = build_environment(surroundings_.config, function.env, ours);
    plan.cwd = loaded_->code_dir.empty() ? work_directory(surroundings_.config) : loaded_->code_dir;
    return process_->start(plan);
}

asio::awaitable<bool> HttpRunner::wait_ready() {
    port::Clock& clock = surroundings_.clock;
    Duration pause = kProbePauseMin;
    while (!early_end_) {
        const bool ready = co_await is_ready();
        if (ready) co_return true;
        co_await clock.wait_until(clock.now() + pause);
        pause = std::min(pause * 2, kProbePauseMax);
    }
    co_return false;
}

asio::awaitable<bool> HttpRunner::is_ready() {
    if (!is_served_below(port_)) {
        awaited_ = "it does not listen on port " + std::to_string(port_) + ", which is $PORT";
        co_return false;
    }
    const std::string path = loaded_->function.http.ready_path;
    if (path.empty()) co_return true;
    port::PeerRequest request;
    request.method = "GET";
    request.target = path;
    std::string address = address_of(port_);
    auto response = co_await peer_.call(std::move(address), std::move(request), kProbeTimeout);
    awaited_ = "GET " + path + " gives " +
               (response ? "status " + std::to_string(response->status) : response.error().message);
    co_return response&& is_success(response->status) && !early_end_;
}

Result<port::PeerRequest> HttpRunner::request_of(const RunInput& input, TimePoint ends_at,
                                                 const std::string& function_token) const {
    const RunKey& key = input.order.key;
    port::Clock& clock = surroundings_.clock;
    const auto deadline = clock.wall_now() + (ends_at - clock.now());
    port::PeerRequest request;
    request.method = "POST";
    request.target = loaded_->function.http.path;
    const auto add = [&request](const char* name, const std::string& value) {
        if (!value.empty()) request.headers.emplace_back(name, value);
    };
    add("Content-Type", input.content_type);
    add("Longhaul-Invocation-Id", key.invocation.text);
    add("Longhaul-Attempt", std::to_string(key.attempt));
    add("Longhaul-Function", loaded_->function.name.text);
    add("Longhaul-Tenant", loaded_->tenant.text);
    add("Longhaul-Deadline-Ms", std::to_string(to_unix_ms(deadline)));
    add("Longhaul-Progress-Url", progress_url_ + progress_path(function_token));
    add("Longhaul-Heartbeat-Url", progress_url_ + heartbeat_path(function_token));
    if (loaded_->function.concurrency > 1) add("Longhaul-Log-Tag", log_tag(key.invocation));
    add("Longhaul-Labels", input.labels_json);
    add("traceparent", input.traceparent);
    add_headers(input.headers_json, request.headers);
    if (input.body.in_memory()) {
        request.body = input.body.bytes();
        return request;
    }
    auto stream = input.body.stream();
    if (!stream) return stream.error();
    request.body_stream = std::move(*stream);
    request.stream_bytes = input.body.size();
    return request;
}

asio::awaitable<void> HttpRunner::post(Call call, port::PeerRequest request) {
    if (!is_current(call)) co_return;
    auto asking = ask(call.key, std::move(request), call.limit);
    auto end = co_await net::interruptible<FunctionEnd>(std::move(asking), call.interruption);
    if (!is_current(call)) co_return;
    if (end) {
        finish(call.key, std::move(*end));
        co_return;
    }
    auto giving_up = give_up(std::move(call), end.error());
    co_await std::move(giving_up);
}

// Errc::unavailable and others: the server gave no answer, or broke off.
asio::awaitable<Result<FunctionEnd>> HttpRunner::ask(RunKey key, port::PeerRequest request,
                                                     Duration limit) {
    std::string address = address_of(port_);
    auto response = co_await peer_.call(std::move(address), std::move(request), limit);
    if (!response) co_return response.error();
    auto content = co_await read_result(key, *response);
    if (!content && content.error().code == Errc::unavailable) co_return content.error();
    FunctionEnd end;
    end.http_status = response->status;
    if (response->status == kTooManyRequests || response->status == kUnavailable)
        end.retry_after =
            retry_after(response->header("Retry-After"), surroundings_.clock.wall_now());
    end.success = content && is_success(response->status);
    if (content) {
        end.result = std::move(*content);
        if (!end.success) {
            end.reason = FailureReason::error;
            end.message = "the server answered with status " + std::to_string(response->status);
        }
    } else {
        const bool too_large = content.error().code == Errc::too_large;
        end.reason = too_large ? FailureReason::result_too_large : FailureReason::result_lost;
        end.message = content.error().message;
        end.given_up = true;
    }
    co_return end;
}

// Past the limit no more is read: the error says so. Errc::unavailable: the server broke off.
asio::awaitable<Result<Content>> HttpRunner::read_result(RunKey key, port::PeerResponse& response) {
    ResultWriter writer(surroundings_.config.store_directory, wire_key(key),
                        loaded_->function.result_max);
    std::string content_type(response.header("Content-Type"));
    while (!writer.is_too_large()) {
        auto chunk = co_await response.body->read();
        if (!chunk) co_return make_error(Errc::unavailable, chunk.error().message);
        if (chunk->empty()) break;
        writer.write(*chunk);
    }
    co_return writer.finish(std::move(content_type));
}

asio::awaitable<void> HttpRunner::give_up(Call call, Error why) {
    port::Clock& clock = surroundings_.clock;
    const TimePoint until = clock.now() + kEndLimit;
    while (is_current(call) && running() && clock.now() < until)
        co_await clock.wait_until(clock.now() + kEndPause);
    if (!is_current(call)) co_return;
    FunctionEnd end = failure(FailureReason::error, "the server gave no answer: " + why.message);
    end.given_up = true;
    finish(call.key, std::move(end));
}

void HttpRunner::on_end(const process::ProcessEnd& process_end) {
    process_->drain_output();
    process_->close();
    if (!ready_)
        early_end_ = process_end;
    else if (runs_.empty())
        events_.process_gone(how_it_ended(process_end, kWhat));
    while (!runs_.empty()) {
        const auto& [key, run] = *runs_.begin();
        finish(key, account_.end_with(process_end, kWhat, run.cpu_from));
    }
}

void HttpRunner::finish(RunKey key, FunctionEnd end) {
    const auto run = runs_.find(key);
    const double cpu_from = run->second.cpu_from;
    runs_.erase(run);
    drain_output();
    account_.close(end, *process_, cpu_from, runs_.empty());
    events_.function_ended(key, std::move(end));
}

}  // namespace longhaul::runtime_agent_ext
