// Mode http: the function is a server of its own. It is started at the load on a port that we
// choose ($PORT), is loaded once it listens there (and answers its ready_path, if it has one), and
// stays up; each run is one POST to it. 2xx is success; the body is the result either way. A run
// that is to return while others are on has its connection closed, which is all that HTTP offers:
// nobody hears whether the server then left off.
//
// Runs on the agent's executor. Its coroutines end with the agent's task group, before it does.
#pragma once

#include "longhaul/net/interrupt.hpp"
#include "longhaul/port/peer.hpp"
#include "runtime_agent_ext/driver/function_process.hpp"
#include "runtime_agent_ext/driver/result_writer.hpp"
#include "runtime_agent_ext/driver/run_account.hpp"
#include "runtime_agent_ext/driver/runner.hpp"

#include <cstdint>
#include <map>
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
    void start(const RunInput& input, TimePoint ends_at, std::string function_token) override;
    void cancel(const RunKey& key) override { forget(key); }
    void forget(const RunKey& key) override;
    void terminate() override;
    void drain_output() override;
    [[nodiscard]] bool running() const override { return process_ && process_->running(); }
    void add_orphan(const Usage& usage) override { account_.add_orphan(usage); }
    [[nodiscard]] std::string awaited() const override { return awaited_; }

private:
    struct OnRun {
        std::uint64_t number = 0;
        double cpu_from = 0;
        std::shared_ptr<net::Interruption> interruption{};  // shared with its call
    };
    // What a call needs of its run, which may end before the call does.
    struct Call {
        RunKey key;
        std::uint64_t number = 0;
        std::shared_ptr<net::Interruption> interruption;
        Duration limit{};
    };

    boost::asio::awaitable<void> bring_up();
    [[nodiscard]] Result<void> start_server();
    // Until the server is ready (true), or has ended.
    boost::asio::awaitable<bool> wait_ready();
    boost::asio::awaitable<bool> is_ready();
    boost::asio::awaitable<void> post(Call call, port::PeerRequest request);
    boost::asio::awaitable<Result<FunctionEnd>> ask(RunKey key, port::PeerRequest request,
                                                    Duration limit);
    boost::asio::awaitable<Result<Content>> read_result(RunKey key, port::PeerResponse& response);
    boost::asio::awaitable<void> give_up(Call call, Error why);
    [[nodiscard]] Result<port::PeerRequest> request_of(const RunInput& input, TimePoint ends_at,
                                                       const std::string& function_token) const;
    [[nodiscard]] bool is_current(const Call& call) const;
    void on_end(const process::ProcessEnd& end);
    void finish(RunKey key, FunctionEnd end);

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

    std::map<RunKey, OnRun> runs_;  // that are on
    std::uint64_t last_number_ = 0;
};

}  // namespace longhaul::runtime_agent_ext
