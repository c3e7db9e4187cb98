// Mode handler: one runtime process serves run after run over the Runtime API (api/runtime_routes).
// Here is what that API asks and answers; the HTTP is there. Where the function takes several runs
// at once, our own runners poll for each of them, and for the runs that are to return.
//
// Our own runners (runtimes.hpp) are started without an identity, wait in next_load() and report
// load_done(). Any other runtime client, runtime "custom", is the function's command: started at
// the load with everything in its environment, and loaded when it first asks for an invocation.
#pragma once

#include "runtime_agent_ext/driver/function_process.hpp"
#include "runtime_agent_ext/driver/result_writer.hpp"
#include "runtime_agent_ext/driver/run_account.hpp"
#include "runtime_agent_ext/driver/runner.hpp"
#include "runtime_agent_ext/driver/runtimes.hpp"
#include "runtime_agent_ext/driver/wakeup.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class HandlerRunner final : public Runner {
public:
    // `api_address`: "127.0.0.1:4000"; `runtime_token`: what our own runner shows with each call.
    HandlerRunner(Surroundings& surroundings, Census& census, RunnerEvents& events,
                  std::string api_address, std::string runtime_token);

    // Starts our runner for that runtime in standby.
    [[nodiscard]] Result<void> prestart(std::string_view runtime);

    void load(const wire::LoadRequest& request) override;
    void start(const RunInput& input, TimePoint ends_at, std::string function_token) override;
    void cancel(const RunKey& key) override;
    void forget(const RunKey& key) override { runs_.erase(key); }
    void terminate() override;
    void drain_output() override;
    [[nodiscard]] bool running() const override { return process_ && process_->running(); }
    void add_orphan(const Usage& usage) override { account_.add_orphan(usage); }

    // The Runtime API. A poll that a newer one replaces ends with Errc::conflict.
    boost::asio::awaitable<Result<std::string>> next_load();  // the document
    struct Next {
        const RunInput* input = nullptr;  // until the run has ended
        std::int64_t deadline_unix_ms = 0;
        std::string progress_path;
        std::string heartbeat_path;
    };
    boost::asio::awaitable<Result<Next>> next_invocation();
    // A run that is to return, once each; where several may be on at once.
    boost::asio::awaitable<Result<RunKey>> next_cancel();
    void load_done(double import_ms);
    void load_failed(std::string type, std::string message);
    // Errc::not_found where `id` is no invocation that runs here.
    [[nodiscard]] Result<std::unique_ptr<ResultWriter>> begin_response(std::string_view id);
    [[nodiscard]] Result<void> respond(std::string_view id, std::unique_ptr<ResultWriter> writer,
                                       std::string content_type);
    // `runtime_ends`: its process is about to exit, and takes no other run.
    [[nodiscard]] Result<void> fail(std::string_view id, std::string type, std::string message,
                                    bool runtime_ends);

    [[nodiscard]] const wire::LoadRequest* loaded() const { return loaded_ ? &*loaded_ : nullptr; }
    // The function's own command speaks the Runtime API.
    [[nodiscard]] bool is_custom() const { return runtime_ == nullptr; }
    // Several runs may be on at once.
    [[nodiscard]] bool is_shared() const { return loaded_ && loaded_->function.concurrency > 1; }
    [[nodiscard]] double import_ms() const { return import_ms_; }
    // Whether calls must show `token`; other runtime clients have none.
    [[nodiscard]] bool token_allows(std::string_view token) const;

private:
    struct OnRun {
        const RunInput* input = nullptr;
        TimePoint ends_at{};
        std::string function_token{};
        double cpu_from = 0;
        bool handed_out = false;
    };
    using Runs = std::map<RunKey, OnRun>;

    [[nodiscard]] Result<void> start_process(const wire::LoadRequest* identity);
    [[nodiscard]] Result<FunctionProcess::Plan> plan_own() const;
    [[nodiscard]] FunctionProcess::Plan plan_custom(const wire::LoadRequest& request) const;
    [[nodiscard]] Environment identity_environment(const wire::LoadRequest& request) const;
    [[nodiscard]] Runs::iterator waiting_run();
    [[nodiscard]] Result<RunKey> current(std::string_view id) const;
    void fail_unanswered();
    void on_end(const process::ProcessEnd& end);
    void finish(RunKey key, FunctionEnd end);
    void loaded_now();

    Surroundings& surroundings_;
    RunnerEvents& events_;
    const std::string api_address_;
    const std::string runtime_token_;

    RunAccount account_;
    const Runtime* runtime_ = nullptr;  // ours; nullptr: custom, or none yet
    std::unique_ptr<FunctionProcess> process_;
    std::optional<wire::LoadRequest> loaded_;
    bool load_pending_ = false;
    bool load_done_ = false;
    double import_ms_ = 0;
    Wakeup wakeup_;
    std::uint64_t load_polls_ = 0;
    std::uint64_t polls_ = 0;

    std::uint64_t cancel_polls_ = 0;

    Runs runs_;  // that are on
    std::deque<RunKey> cancels_;
};

}  // namespace longhaul::runtime_agent_ext
