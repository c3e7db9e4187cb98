// Mode exec: each run is a process. Its stdin is the body, its exit code decides, its stdout is the
// result (or the file $LONGHAUL_RESULT is), its stderr the log.
#pragma once

#include "runtime_agent_ext/driver/census.hpp"
#include "runtime_agent_ext/driver/function_process.hpp"
#include "runtime_agent_ext/driver/result_writer.hpp"
#include "runtime_agent_ext/driver/runner.hpp"

#include <memory>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class ExecRunner final : public Runner {
public:
    // `progress_url` is where a run's function token goes after: "http://127.0.0.1:4000".
    ExecRunner(Surroundings& surroundings, Census& census, RunnerEvents& events,
               std::string progress_url);
    ~ExecRunner() override;

    void load(const wire::LoadRequest& request) override;
    void start(const RunInput& input, TimePoint ends_at, std::string function_token) override;
    // Its runs are processes of their own, and alone.
    void cancel(const RunKey&) override {}
    void forget(const RunKey&) override {}
    void terminate() override;
    void drain_output() override;
    [[nodiscard]] bool running() const override { return process_ && process_->running(); }
    void add_orphan(const Usage& usage) override;

private:
    [[nodiscard]] FunctionProcess::Plan plan_for(const RunInput& input, TimePoint ends_at) const;
    void on_output(wire::LogStream stream, std::string_view bytes);
    void on_end(const process::ProcessEnd& end);
    void take_result(FunctionEnd& end);
    [[nodiscard]] std::string result_file() const;

    Surroundings& surroundings_;
    Census& census_;
    RunnerEvents& events_;
    const std::string progress_url_;

    std::optional<wire::LoadRequest> loaded_;

    // Of the current run.
    RunKey key_;
    std::string function_token_;
    std::unique_ptr<FunctionProcess> process_;
    std::unique_ptr<ResultWriter> result_;
    std::optional<Error> start_error_;
    std::uint64_t oom_kills_before_ = 0;
    Usage orphans_;
};

}  // namespace longhaul::runtime_agent_ext
