// Mode http: the function is a server of its own. It is started at the load on a port that we
// choose ($PORT), is loaded once it listens there (and answers its ready_path, if it has one), and
// stays up; each run is one POST to it. 2xx is success; the body is the result either way.
//
// Runs on the agent's executor. Its coroutines end with the agent's task group, before it does.
#pragma once

#include "longhaul/port/peer.hpp"
#include "runtime_agent_ext/driver/function_process.hpp"
#include "runtime_agent_ext/driver/result_writer.hpp"
#include "runtime_agent_ext/driver/run_account.hpp"
#include "runtime_agent_ext/driver/runner.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class HttpRunner final : public Runner {
public:
    // `peer` opens a connection for each call. `progress_url` is where a run's function token goes
    // after: "http://127.0.0.1:4000".
    HttpRunner(Surroundings& surroundings, Census& census, RunnerEvents& events, port::Peer& peer,
               std::string progress_url);

    void load(const wire::LoadRequest& request) override;
    void start(const RunInput& input, TimePoint ends_at) override;
    void terminate() override;
    void drain_output() override;
    [[nodiscard]] bool running() const override { return process_ && process_->running(); }
    void add_orphan(const Usage& usage) override { account_.add_orphan(usage); }
    void set_function_token(std::string token) override { function_token_ = std::move(token); }
    [[nodiscard]] std::string awaited() const override { return awaited_; }

private:
    boost::asio::awaitable<void> bring_up();
    [[nodiscard]] Result<void> start_server();
    // Until the server is ready (true), or has ended.
    boost::asio::awaitable<bool> wait_ready();
    boost::asio::awaitable<bool> is_ready();
    boost::asio::awaitable<void> post(std::uint64_t run, port::PeerRequest request, Duration limit);
    boost::asio::awaitable<Result<Content>> read_result(port::PeerResponse& response);
    boost::asio::awaitable<void> give_up(std::uint64_t run, Error why);
    [[nodiscard]] Result<port::PeerRequest> request_of(const RunInput& input,
                                                       TimePoint ends_at) const;
    [[nodiscard]] bool is_current(std::uint64_t run) const { return input_ && run == run_; }
    void on_end(const process::ProcessEnd& end);
    void finish(FunctionEnd end);

    Surroundings& surroundings_;
    RunnerEvents& events_;
    port::Peer& peer_;
    const std::string progress_url_;

    RunAccount account_;
    std::optional<wire::LoadRequest> loaded_;
    std::uint16_t port_ = 0;
    std::unique_ptr<FunctionProcess> process_;
    bool ready_ = false;
    std::optional<process::ProcessEnd> early_end_;  // before it was ready
    std::string awaited_;

    // Of the current run; nullptr where none.
    const RunInput* input_ = nullptr;
    std::uint64_t run_ = 0;
    wire::AttemptKey key_;
    std::string function_token_;
};

}  // namespace longhaul::runtime_agent_ext
