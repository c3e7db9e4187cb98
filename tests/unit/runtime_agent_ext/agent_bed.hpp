// A real runtime agent, with a small host agent of the test's own beside it, and the sentences that
// tests say to both.
#pragma once

#include "longhaul/net/client.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/process/pidfd.hpp"
#include "longhaul/process/tree.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/wire/instance_control.hpp"
#include "tests/support/temp_folder.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::test {

struct HttpAnswer {
    int status = 0;
    std::string body;
    [[nodiscard]] std::string problem_type() const;
    [[nodiscard]] wire::StatusEntry entry() const;
};

struct StartOptions {
    std::string token = "t1";
    std::string run_token{};  // "" = the one that was assigned
    std::int64_t timeout_ms = 60'000;
    std::int64_t grace_ms = 1'000;
    std::string content_type = "application/json";
    std::string sha256{};
    std::string traceparent{};
};

class AgentBed {
public:
    explicit AgentBed(std::vector<std::string> more_flags = {});
    ~AgentBed();

    // Loads. The answer of /v1/load.
    HttpAnswer load_exec(std::vector<std::string> command);
    HttpAnswer load_shell(const std::string& script) { return load_exec({"sh", "-c", script}); }
    HttpAnswer load_python(const std::string& source, const std::string& handler = "app.main");
    HttpAnswer load_node(const std::string& source, const std::string& file = "app.js");
    // A Python program that is a server: see kServer of http_test.cpp.
    HttpAnswer load_server(const std::string& source);
    HttpAnswer load();  // what `function` is now

    HttpAnswer assign(const std::string& id, AttemptNumber attempt = 1);
    HttpAnswer start(const std::string& id, const std::string& body = "",
                     const StartOptions& options = {});
    // Assign and start; the end of it.
    wire::StatusEntry run(const std::string& id, const std::string& body = "",
                          const StartOptions& options = {});
    wire::KillOutcome kill(const std::string& id, wire::KillMode mode, std::int64_t grace_ms);
    HttpAnswer control(const std::string& method, const std::string& path,
                       const std::string& body = "");

    // Waits, at most 30 s, for what the agent reports.
    wire::StatusEntry wait_end(const std::string& id);
    void wait_rank(const std::string& id, wire::Rank rank);
    void wait_state(const std::string& state);
    void wait_log(const std::string& id, const std::string& text);
    void wait_until(const std::function<bool()>& done, const std::string& what);

    [[nodiscard]] std::vector<std::string> log(const std::string& id) const;  // texts
    [[nodiscard]] std::string log_file(const std::string& id) const;          // raw
    [[nodiscard]] std::vector<process::ProcessId> descendants() const;
    [[nodiscard]] std::string store_file(const std::string& name) const;

    // The host agent goes away, or is there again.
    void stop_host();
    void start_host();
    void kill_agent();
    [[nodiscard]] bool agent_alive() const { return process::is_alive(pidfd_); }

    TempFolder folder;
    FunctionSpec function;
    std::string code_dir;
    bool keep_ends = true;
    std::int64_t load_ms = 20'000;
    std::optional<wire::InstanceStatus> last;  // as reported
    std::size_t reports = 0;
    system::SystemClock clock;
    boost::asio::io_context io{1};
    pid_t agent_pid = 0;

private:
    boost::asio::awaitable<net::Response> on_status(net::Request& request);
    boost::asio::awaitable<HttpAnswer> call(std::string address, port::PeerRequest request);
    boost::asio::awaitable<bool> wait_loop(std::function<bool()> done);
    boost::asio::awaitable<bool> stop_server();
    void spawn_agent(const std::vector<std::string>& more_flags);

    const std::string instance_;  // one of its own: it names the cgroup
    net::HttpPeer peer_;
    struct Parts;
    std::unique_ptr<Parts> parts_;
    std::unique_ptr<net::Server> host_;
    process::UniqueFd pidfd_;
    std::string run_token_;
};

// Says so where Node is not installed.
[[nodiscard]] bool no_node();

// The program under test: $LONGHAUL_RUNTIME_AGENT, or bin/runtime_agent_ext of this build.
[[nodiscard]] std::string agent_program();

}  // namespace longhaul::test
