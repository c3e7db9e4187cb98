#include "runtime_agent_ext/driver/exec_runner.hpp"

#include "longhaul/port/clock.hpp"
#include "runtime_agent_ext/driver/entry.hpp"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace longhaul::runtime_agent_ext {
namespace {

FunctionEnd failure(FailureReason reason, std::string message) {
    FunctionEnd end;
    end.reason = reason;
    end.message = std::move(message);
    return end;
}

// How the process ended, without its result.
FunctionEnd judge(const process::ProcessEnd& process, bool oom) {
    FunctionEnd end;
    end.exit_code = process.exit_code;
    end.signal = process.signal;
    end.usage = process.usage;
    end.oom = oom;
    end.success = process.exit_code == 0;
    if (end.success) return end;
    if (oom) {
        end.reason = FailureReason::oom;
        end.message = "killed for using too much memory";
    } else if (process.signal) {
        end.reason = FailureReason::signal;
        end.message = "ended by signal " + std::to_string(*process.signal);
        if (const char* name = ::sigabbrev_np(*process.signal))
            end.message += " (SIG" + std::string(name) + ")";
    } else {
        end.reason = FailureReason::exit;
        end.message = "exit code " + std::to_string(process.exit_code.value_or(-1));
    }
    return end;
}

}  // namespace

ExecRunner::ExecRunner(Surroundings& surroundings, Census& census, RunnerEvents& events,
                       std::string progress_url)
    : surroundings_(surroundings),
      census_(census),
      events_(events),
      progress_url_(std::move(progress_url)) {}

ExecRunner::~ExecRunner() = default;

void ExecRunner::load(const wire::LoadRequest& request) {
    loaded_ = request;
    Result<void> result;
    if (request.function.command.empty())
        result = make_error(Errc::invalid_argument, "the function has no command", "load-failed");
    else if (!request.code_dir.empty() && ::access(request.code_dir.c_str(), X_OK) != 0)
        result = make_error(Errc::io_failed, "cannot enter the code directory " + request.code_dir);
    census_.take_baseline();
    events_.load_ended(std::move(result));
}

void ExecRunner::start(const RunInput& input, TimePoint ends_at, std::string function_token) {
    key_ = input.order.key;
    function_token_ = std::move(function_token);
    orphans_ = {};
    start_error_.reset();
    oom_kills_before_ = surroundings_.cgroup.oom_kills();
    const auto& function = loaded_->function;
    ::unlink(result_file().c_str());
    result_.reset();
    if (!function.result_is_file)
        result_ = std::make_unique<ResultWriter>(surroundings_.config.store_directory,
                                                 wire_key(key_), function.result_max);
    FunctionProcess::Events events;
    events.output = [this](wire::LogStream stream, std::string_view bytes) {
        on_output(stream, bytes);
    };
    events.executed = [this](Result<void> result) {
        if (result)
            events_.function_started(key_);
        else
            start_error_ = result.error();
    };
    events.ended = [this](const process::ProcessEnd& end) { on_end(end); };
    process_ = std::make_unique<FunctionProcess>(surroundings_, std::move(events));

    auto body = input.body.open();
    auto plan = plan_for(input, ends_at);
    if (body) plan.stdin_fd = body->get();
    const Result<void> started = body ? process_->start(plan) : Result<void>(body.error());
    if (!started)
        events_.function_ended(key_, failure(FailureReason::error, started.error().message));
}

void ExecRunner::terminate() {
    if (process_) process_->signal_group(SIGTERM);
}

void ExecRunner::drain_output() {
    if (process_) process_->drain_output();
}

void ExecRunner::add_orphan(const Usage& usage) {
    orphans_.cpu_seconds += usage.cpu_seconds;
    orphans_.max_rss_bytes = std::max(orphans_.max_rss_bytes, usage.max_rss_bytes);
}

FunctionProcess::Plan ExecRunner::plan_for(const RunInput& input, TimePoint ends_at) const {
    const auto& function = loaded_->function;
    port::Clock& clock = surroundings_.clock;
    const auto deadline = clock.wall_now() + (ends_at - clock.now());
    Environment ours{
        {"LONGHAUL_INVOCATION_ID", key_.invocation.text},
        {"LONGHAUL_ATTEMPT", std::to_string(key_.attempt)},
        {"LONGHAUL_FUNCTION", function.name.text},
        {"LONGHAUL_TENANT", loaded_->tenant.text},
        {"LONGHAUL_DEADLINE_MS", std::to_string(to_unix_ms(deadline))},
        {"LONGHAUL_PROGRESS_URL", progress_url_ + progress_path(function_token_)},
        {"LONGHAUL_HEARTBEAT_URL", progress_url_ + heartbeat_path(function_token_)},
    };
    if (function.result_is_file) ours.emplace_back("LONGHAUL_RESULT", result_file());
    if (!input.content_type.empty()) ours.emplace_back("LONGHAUL_CONTENT_TYPE", input.content_type);
    if (!input.traceparent.empty()) ours.emplace_back("LONGHAUL_TRACEPARENT", input.traceparent);
    if (!input.headers_json.empty()) ours.emplace_back("LONGHAUL_HEADERS", input.headers_json);
    if (!input.labels_json.empty()) ours.emplace_back("LONGHAUL_LABELS", input.labels_json);
    FunctionProcess::Plan plan;
    plan.argv = function.command;
    plan.env = build_environment(surroundings_.config, function.env, ours);
    plan.cwd = loaded_->code_dir.empty() ? work_directory(surroundings_.config) : loaded_->code_dir;
    return plan;
}

void ExecRunner::on_output(wire::LogStream stream, std::string_view bytes) {
    if (stream == wire::LogStream::out && result_)
        result_->write(bytes);
    else
        events_.output(stream, bytes);
}

void ExecRunner::on_end(const process::ProcessEnd& process_end) {
    process_->drain_output();
    process_->close();
    const bool oom = surroundings_.cgroup.oom_kills() > oom_kills_before_;
    FunctionEnd end = judge(process_end, oom);
    if (start_error_) {
        end.success = false;
        end.reason = FailureReason::load;
        end.message = start_error_->message;
    }
    end.usage.cpu_seconds += orphans_.cpu_seconds;
    end.usage.max_rss_bytes = std::max(end.usage.max_rss_bytes, orphans_.max_rss_bytes);
    end.left_processes = census_.has_strangers();
    if (end.success) take_result(end);
    result_.reset();
    events_.function_ended(key_, std::move(end));
}

void ExecRunner::take_result(FunctionEnd& end) {
    const auto& function = loaded_->function;
    auto content = result_ ? result_->finish("")
                           : adopt_result_file(result_file(), surroundings_.config.store_directory,
                                               wire_key(key_), function.result_max);
    if (content) {
        end.result = std::move(*content);
        return;
    }
    if (content.error().code == Errc::not_found) {
        end.result = Content{};  // it had nothing to say
        return;
    }
    end.success = false;
    end.reason = content.error().code == Errc::too_large ? FailureReason::result_too_large
                                                         : FailureReason::result_lost;
    end.message = content.error().message;
}

std::string ExecRunner::result_file() const {
    return work_directory(surroundings_.config) + "/result";
}

}  // namespace longhaul::runtime_agent_ext
