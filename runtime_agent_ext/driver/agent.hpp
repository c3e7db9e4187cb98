// The driver of one instance: performs what core/instance.hpp decides, and tells it what happened.
// The routes (api/) speak to it alone.
//
// Everything runs on one executor, in one thread. Events may arrive from inside a call (a runner
// that fails at once): their actions queue up behind the ones being performed.
#pragma once

#include "longhaul/wire/instance_control.hpp"
#include "runtime_agent_ext/core/instance.hpp"
#include "runtime_agent_ext/driver/census.hpp"
#include "runtime_agent_ext/driver/entry.hpp"
#include "runtime_agent_ext/driver/handler_runner.hpp"
#include "runtime_agent_ext/driver/host_link.hpp"
#include "runtime_agent_ext/driver/run_logs.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class Agent final : public RunnerEvents {
public:
    // `peer` asks the function's own server (mode http), with a connection for each call.
    Agent(boost::asio::any_io_executor executor, port::Clock& clock, port::Peer& peer,
          const Logger& logger, const Config& config);
    ~Agent() override;

    // Makes the work directory, becomes a subreaper; starts reporting and, if so configured, the
    // standby runtime. The addresses are those of the listeners, "127.0.0.1:4000".
    [[nodiscard]] Result<void> open(std::string data_address, std::string runtime_address);
    // Returns when the agent is to end: destroyed, drained, or forgotten by its host.
    boost::asio::awaitable<void> wait_exit();
    // Cancels what runs on and waits for it; what the host agent should still hear is sent first,
    // if that takes no longer than `limit`.
    boost::asio::awaitable<void> close(Duration limit);

    // The control socket's.
    [[nodiscard]] Result<void> assign(wire::AssignRequest request);
    boost::asio::awaitable<Result<StageTrace>> load(wire::LoadRequest request);
    [[nodiscard]] wire::InstanceStatus status() const;
    [[nodiscard]] wire::KillAnswer kill(const wire::KillOrder& order);
    void drain();
    boost::asio::awaitable<bool> destroy();  // whether the tree is proven to be gone

    // The data listener's.
    // Whether the token opens the data listener to `invocation`: it is that of the next run, or of
    // a run of that invocation that is still known here.
    [[nodiscard]] bool run_token_allows(std::string_view token, std::string_view invocation) const;
    struct Started {
        bool is_new = false;
        wire::StatusEntry entry;
    };
    [[nodiscard]] Result<Started> start(std::unique_ptr<RunInput> input);
    [[nodiscard]] Body new_body(std::string sha256) const {
        return {config_.directory, std::move(sha256)};
    }
    [[nodiscard]] std::uint64_t body_bytes_max() const;

    // The function's.
    [[nodiscard]] Result<void> progress(std::string_view function_token, double percent,
                                        std::string message);
    [[nodiscard]] Result<void> heartbeat(std::string_view function_token);
    [[nodiscard]] HandlerRunner* handler() { return handler_; }

private:
    // RunnerEvents
    void load_ended(Result<void> result) override;
    void function_started(const RunKey& key) override;
    void function_ended(const RunKey& key, FunctionEnd end) override;
    void process_gone(std::string why) override;
    void output(wire::LogStream stream, std::string_view bytes) override;

    void apply(const Actions& actions);
    void perform(const Step& step);
    void start_function(const RunKey& key);
    void cancel_run(const RunKey& key);
    void terminate();
    void after_runs();
    void arm_timer();
    void check_tree();
    void note_stop(const Run& run, std::string_view how);
    [[nodiscard]] std::optional<RunKey> run_of(std::string_view function_token) const;
    [[nodiscard]] Error load_failure() const;
    [[nodiscard]] Result<void> make_runner(FunctionMode mode);
    HandlerRunner& make_handler();
    boost::asio::awaitable<void> kill_everything();
    boost::asio::awaitable<void> watch_for_host();

    // Constant after construction (the addresses: after open()).
    port::Clock& clock_;
    port::Peer& peer_;
    const Logger& logger_;
    const Config& config_;
    const EntryIdentity identity_;
    std::string data_address_;
    std::string runtime_address_;

    net::TaskGroup tasks_;
    process::Cgroup cgroup_;
    process::Reaper reaper_;
    Census census_;
    Surroundings surroundings_;
    HostLink link_;
    RunLogs logs_;

    Instance instance_;
    std::unique_ptr<Runner> runner_;
    HandlerRunner* handler_ = nullptr;  // runner_, where it is one
    struct OnRun {
        std::unique_ptr<RunInput> input;
        std::string function_token;
    };
    std::map<RunKey, OnRun> on_;
    std::optional<RunKey> loaded_for_;  // whose log has what the load says
    bool retry_on_lost_ = false;        // of the function
    Duration heartbeat_timeout_{};
    TimePoint load_begun_{};
    std::string load_tail_;  // the last that the load said on stderr
    double load_ms_ = 0;

    std::deque<Step> steps_;
    bool performing_ = false;
    boost::asio::steady_timer timer_;
    Wakeup changed_;
    bool killing_ = false;
    bool tree_proven_gone_ = false;
    bool exit_ = false;
};

}  // namespace longhaul::runtime_agent_ext
