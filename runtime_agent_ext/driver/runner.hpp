// How one mode runs a function: exec (exec_runner.hpp), handler (handler_runner.hpp), http
// (http_runner.hpp). The agent (agent.hpp) owns one, tells it what to do and hears what happened.
#pragma once

#include "longhaul/wire/log_line.hpp"
#include "runtime_agent_ext/core/run.hpp"
#include "runtime_agent_ext/driver/body.hpp"

#include <memory>
#include <string>

namespace longhaul::runtime_agent_ext {

// One run, as it came to the data listener.
struct RunInput {
    RunOrder order;
    Body body;
    std::string content_type;
    std::string traceparent;
    std::string headers_json;  // the user's, "" = none
    std::string labels_json;
};

// What a runner says; also from inside a call of the agent's.
class RunnerEvents {
public:
    virtual ~RunnerEvents() = default;
    virtual void load_ended(Result<void> result) = 0;
    virtual void function_started(const RunKey& key) = 0;
    virtual void function_ended(const RunKey& key, FunctionEnd end) = 0;
    // The process that serves runs has ended, outside a run or while one stops.
    virtual void process_gone(std::string why) = 0;
    virtual void output(wire::LogStream stream, std::string_view bytes) = 0;
};

class Runner {
public:
    virtual ~Runner() = default;

    virtual void load(const wire::LoadRequest& request) = 0;
    // REQUIRES loaded. `input` stays as it is until the run has ended. `function_token`: the secret
    // of this run's progress.
    virtual void start(const RunInput& input, TimePoint ends_at, std::string function_token) = 0;
    // Where several runs are on at once: the function is told that this one is to return.
    virtual void cancel(const RunKey& key) = 0;
    // The run has ended, whether or not the function has returned. Most runs were told by it.
    virtual void forget(const RunKey& key) = 0;
    // SIGTERM to the function's group.
    virtual void terminate() = 0;
    // What is in the pipes now goes to output().
    virtual void drain_output() = 0;
    // A process of it lives, or its end has not been told yet.
    [[nodiscard]] virtual bool running() const = 0;
    // CPU and memory of an orphan that ended: nobody else counts it.
    virtual void add_orphan(const Usage& usage) = 0;
    // What a load still waits for, for a person; "" = the function itself.
    [[nodiscard]] virtual std::string awaited() const { return {}; }
};

// The function's own ways to us, as URL paths: unguessable, good for one run.
[[nodiscard]] inline std::string progress_path(std::string_view function_token) {
    return "/v1/runs/" + std::string(function_token) + "/progress";
}
[[nodiscard]] inline std::string heartbeat_path(std::string_view function_token) {
    return "/v1/runs/" + std::string(function_token) + "/heartbeat";
}

}  // namespace longhaul::runtime_agent_ext
