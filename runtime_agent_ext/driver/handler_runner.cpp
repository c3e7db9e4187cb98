#include "runtime_agent_ext/driver/handler_runner.hpp"

#include "longhaul/crypto/equal.hpp"
#include "longhaul/port/clock.hpp"
#include "runtime_agent_ext/driver/entry.hpp"
#include "runtime_agent_ext/driver/files.hpp"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace longhaul::runtime_agent_ext {
namespace {

constexpr std::string_view kWhat = "the runtime";

Error replaced() {
    return make_error(Errc::conflict, "a newer poll took the place of this one", "replaced");
}

wire::Json load_document(const wire::LoadRequest& request, const Environment& env) {
    wire::Json variables = wire::Json::object();
    for (const auto& [name, value] : env) variables.set(name, value);
    wire::Json document = wire::Json::object();
    document.set("proto", wire::kProto);
    document.set("tenant", request.tenant.text);
    document.set("function", request.function.name.text);
    document.set("version", request.function.version.text);
    document.set("handler", request.function.handler);
    document.set("code_dir", request.code_dir);
    document.set("memory_mb", std::int64_t{request.function.memory_mb});
    document.set("concurrency", std::int64_t{request.function.concurrency});
    document.set("env", std::move(variables));
    return document;
}

}  // namespace

HandlerRunner::HandlerRunner(Surroundings& surroundings, Census& census, RunnerEvents& events,
                             std::string api_address, std::string runtime_token)
    : surroundings_(surroundings),
      events_(events),
      api_address_(std::move(api_address)),
      runtime_token_(std::move(runtime_token)),
      account_(surroundings, census),
      wakeup_(surroundings.tasks.executor()) {}

Result<void> HandlerRunner::prestart(std::string_view runtime) {
    runtime_ = find_runtime(runtime);
    return start_process(nullptr);
}

void HandlerRunner::load(const wire::LoadRequest& request) {
    const Runtime* wanted = find_runtime(request.function.runtime);
    if (running() && wanted != runtime_) {
        events_.load_ended(
            make_error(Errc::conflict, "this standby instance is one of another runtime"));
        return;
    }
    loaded_ = request;
    load_pending_ = true;
    runtime_ = wanted;
    if (!running()) {
        if (auto started = start_process(&request); !started) {
            events_.load_ended(make_error(Errc::io_failed, started.error().message));
            return;
        }
    }
    wakeup_.notify_all();
}

void HandlerRunner::start(const RunInput& input, TimePoint ends_at, std::string function_token) {
    OnRun run{&input, ends_at, std::move(function_token)};
    run.cpu_from = account_.begin(*process_, runs_.empty());
    runs_.emplace(input.order.key, std::move(run));
    wakeup_.notify_all();
}

void HandlerRunner::cancel(const RunKey& key) {
    const auto run = runs_.find(key);
    if (run == runs_.end()) return;
    if (!run->second.handed_out) {
        FunctionEnd end;
        end.message = "it was stopped before the runtime had it";
        finish(key, std::move(end));
        return;
    }
    cancels_.push_back(key);
    wakeup_.notify_all();
}

void HandlerRunner::terminate() {
    if (process_) process_->signal_group(SIGTERM);
}

void HandlerRunner::drain_output() {
    if (process_) process_->drain_output();
}

boost::asio::awaitable<Result<std::string>> HandlerRunner::next_load() {
    const std::uint64_t mine = ++load_polls_;
    wakeup_.notify_all();
    while (mine == load_polls_ && !load_pending_) co_await wakeup_.wait();
    if (mine != load_polls_) co_return replaced();
    load_pending_ = false;
    Environment env = loaded_->function.env;
    for (auto& variable : identity_environment(*loaded_)) env.push_back(std::move(variable));
    const wire::Json document = load_document(*loaded_, env);
    co_return document.dump();
}

boost::asio::awaitable<Result<HandlerRunner::Next>> HandlerRunner::next_invocation() {
    const std::uint64_t mine = ++polls_;
    wakeup_.notify_all();
    if (loaded_ && is_custom()) loaded_now();
    if (!is_shared()) fail_unanswered();
    const auto is_replaced = [this, mine] { return !is_shared() && mine != polls_; };
    while (!is_replaced() && waiting_run() == runs_.end()) co_await wakeup_.wait();
    if (is_replaced()) co_return replaced();
    const auto found = waiting_run();
    const RunKey key = found->first;
    OnRun& run = found->second;
    run.handed_out = true;
    port::Clock& clock = surroundings_.clock;
    Next next;
    next.input = run.input;
    next.deadline_unix_ms = to_unix_ms(clock.wall_now() + (run.ends_at - clock.now()));
    next.progress_path = progress_path(run.function_token);
    next.heartbeat_path = heartbeat_path(run.function_token);
    events_.function_started(key);
    co_return next;
}

// It may have run in part: it is never handed out a second time.
void HandlerRunner::fail_unanswered() {
    const auto run = runs_.begin();
    if (run == runs_.end() || !run->second.handed_out) return;
    FunctionEnd end;
    end.reason = FailureReason::error;
    end.message = "the runtime asked for the next invocation without answering this one";
    finish(run->first, std::move(end));
}

boost::asio::awaitable<Result<RunKey>> HandlerRunner::next_cancel() {
    const std::uint64_t mine = ++cancel_polls_;
    wakeup_.notify_all();
    while (mine == cancel_polls_ && cancels_.empty()) co_await wakeup_.wait();
    if (mine != cancel_polls_) co_return replaced();
    RunKey next = std::move(cancels_.front());
    cancels_.pop_front();
    co_return next;
}

HandlerRunner::Runs::iterator HandlerRunner::waiting_run() {
    return std::ranges::find_if(runs_, [](const auto& run) { return !run.second.handed_out; });
}

void HandlerRunner::load_done(double import_ms) {
    import_ms_ = import_ms;
    if (loaded_) loaded_now();
}

void HandlerRunner::load_failed(std::string type, std::string message) {
    drain_output();
    if (!type.empty()) message = type + ": " + message;
    events_.load_ended(make_error(Errc::refused, std::move(message), "load-failed"));
}

Result<std::unique_ptr<ResultWriter>> HandlerRunner::begin_response(std::string_view id) {
    const auto key = current(id);
    if (!key) return key.error();
    return std::make_unique<ResultWriter>(surroundings_.config.store_directory, wire_key(*key),
                                          loaded_->function.result_max);
}

Result<void> HandlerRunner::respond(std::string_view id, std::unique_ptr<ResultWriter> writer,
                                    std::string content_type) {
    const auto key = current(id);
    if (!key) return key.error();
    auto content = writer->finish(std::move(content_type));
    FunctionEnd end;
    end.success = content.has_value();
    if (content) {
        end.result = std::move(*content);
    } else {
        end.reason = content.error().code == Errc::too_large ? FailureReason::result_too_large
                                                             : FailureReason::result_lost;
        end.message = content.error().message;
    }
    finish(*key, std::move(end));
    return {};
}

Result<void> HandlerRunner::fail(std::string_view id, std::string type, std::string message,
                                 bool runtime_ends) {
    const auto key = current(id);
    if (!key) return key.error();
    FunctionEnd end;
    end.reason = FailureReason::error;
    end.error_type = std::move(type);
    end.message = std::move(message);
    end.runtime_gone = runtime_ends;
    finish(*key, std::move(end));
    return {};
}

bool HandlerRunner::token_allows(std::string_view token) const {
    return is_custom() || crypto::equal_constant_time(token, runtime_token_);
}

Result<void> HandlerRunner::start_process(const wire::LoadRequest* identity) {
    FunctionProcess::Events events;
    events.output = [this](wire::LogStream stream, std::string_view bytes) {
        events_.output(stream, bytes);
    };
    events.executed = [this](Result<void> result) {
        if (result) return;
        std::string why = "the runtime does not start: " + result.error().message;
        if (!is_custom())
            why += " (runtime \"" + std::string(runtime_->name) + "\" needs it on the host)";
        events_.process_gone(std::move(why));
    };
    events.ended = [this](const process::ProcessEnd& end) { on_end(end); };
    process_ = std::make_unique<FunctionProcess>(surroundings_, std::move(events));
    if (is_custom()) return process_->start(plan_custom(*identity));
    auto plan = plan_own();
    if (!plan) return plan.error();
    return process_->start(*plan);
}

Result<FunctionProcess::Plan> HandlerRunner::plan_own() const {
    const std::string file = surroundings_.config.directory + "/" + std::string(runtime_->file);
    if (auto done = write_file(file, runtime_->runner, 0644); !done) return done.error();
    FunctionProcess::Plan plan;
    plan.argv = {std::string(runtime_->program), file};
    plan.cwd = work_directory(surroundings_.config);
    const Environment ours{{"AWS_LAMBDA_RUNTIME_API", api_address_},
                           {"LONGHAUL_RUNTIME_TOKEN", runtime_token_}};
    plan.env = build_environment(surroundings_.config, {}, ours);
    return plan;
}

FunctionProcess::Plan HandlerRunner::plan_custom(const wire::LoadRequest& request) const {
    FunctionProcess::Plan plan;
    plan.argv = request.function.command;
    plan.cwd = request.code_dir.empty() ? work_directory(surroundings_.config) : request.code_dir;
    Environment ours = identity_environment(request);
    ours.emplace_back("AWS_LAMBDA_RUNTIME_API", api_address_);
    plan.env = build_environment(surroundings_.config, request.function.env, ours);
    return plan;
}

Environment HandlerRunner::identity_environment(const wire::LoadRequest& request) const {
    const auto& function = request.function;
    return {{"LONGHAUL_FUNCTION", function.name.text},
            {"LONGHAUL_TENANT", request.tenant.text},
            {"_HANDLER", function.handler},
            {"LAMBDA_TASK_ROOT", request.code_dir},
            {"AWS_LAMBDA_FUNCTION_NAME", function.name.text},
            {"AWS_LAMBDA_FUNCTION_VERSION", function.version.text},
            {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(function.memory_mb)},
            {"AWS_LAMBDA_LOG_GROUP_NAME", "/longhaul/" + function.name.text},
            {"AWS_LAMBDA_LOG_STREAM_NAME", surroundings_.config.instance.text},
            {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"}};
}

Result<RunKey> HandlerRunner::current(std::string_view id) const {
    for (const auto& [key, run] : runs_)
        if (run.handed_out && key.invocation.text == id) return key;
    return make_error(Errc::not_found, "no such invocation runs here", "invalid-request-id");
}

void HandlerRunner::on_end(const process::ProcessEnd& process_end) {
    process_->drain_output();
    process_->close();
    if (runs_.empty()) events_.process_gone(how_it_ended(process_end, kWhat));
    while (!runs_.empty()) {
        const auto& [key, run] = *runs_.begin();
        finish(key, account_.end_with(process_end, kWhat, run.cpu_from));
    }
}

void HandlerRunner::finish(RunKey key, FunctionEnd end) {
    const auto run = runs_.find(key);
    const double cpu_from = run->second.cpu_from;
    runs_.erase(run);
    drain_output();
    account_.close(end, *process_, cpu_from, runs_.empty());
    events_.function_ended(key, std::move(end));
}

void HandlerRunner::loaded_now() {
    if (load_done_) return;
    load_done_ = true;
    drain_output();
    account_.open(*process_);
    events_.load_ended({});
}

}  // namespace longhaul::runtime_agent_ext
