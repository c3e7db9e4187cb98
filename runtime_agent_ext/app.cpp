#include "runtime_agent_ext/app.hpp"

#include "longhaul/net/client.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "runtime_agent_ext/api/routes.hpp"
#include "runtime_agent_ext/driver/agent.hpp"

namespace longhaul::runtime_agent_ext {
namespace {

constexpr Duration kLastReport = std::chrono::milliseconds(500);
constexpr Duration kSilenceMax = std::chrono::hours(24 * 30);
constexpr Duration kServerDrain = std::chrono::milliseconds(200);
// A hundred runs at once, each with a poll, an answer and its progress.
constexpr std::uint32_t kConnectionsMax = 512;
constexpr std::uint32_t kHeaderMax = 1280 * 1024;  // bytes: an error cause may have a MiB

net::ServerOptions control_options(const Config& config) {
    net::ServerOptions options;
    options.address = "unix:" + config.control_socket;
    options.name = "control";
    options.secret = config.secret;
    options.limits.connections_max = 64;
    return options;
}

net::ServerOptions tcp_options(std::string name, std::string address) {
    net::ServerOptions options;
    options.address = std::move(address);
    options.name = std::move(name);
    options.limits.connections_max = kConnectionsMax;
    options.limits.header_bytes_max = kHeaderMax;
    // A runtime's connection is silent while its function works.
    options.limits.idle_timeout = kSilenceMax;
    return options;
}

net::ServerOptions runtime_options() {
    net::ServerOptions options = tcp_options("runtime", "127.0.0.1:0");
    // A function may stream its answer at any pace, and say at its end that it failed.
    options.limits.body_timeout = kSilenceMax;
    options.trailers = true;
    return options;
}

// Asks the function's own server. A connection for each call: what became of one that was left idle
// is the server's secret, and a run must not be posted twice.
net::ClientOptions function_server_options() {
    net::ClientOptions options;
    options.idle_per_address_max = 0;
    options.repeat_posts = false;
    return options;
}

boost::asio::awaitable<void> drain_on_signal(net::StopSignal& signal, Agent& agent) {
    for (;;) {
        co_await signal.next();
        agent.drain();
    }
}

}  // namespace

boost::asio::awaitable<Result<void>> run_app(boost::asio::any_io_executor executor,
                                             port::Clock& clock, const Logger& logger,
                                             const Config& config) {
    net::HttpPeer function_server(executor, function_server_options());
    Agent agent(executor, clock, function_server, logger, config);
    net::Server control(executor, clock, logger, control_options(config), control_routes(agent));
    net::Server data(executor, clock, logger, tcp_options("data", config.data_listen),
                     data_routes(agent));
    net::Server runtime(executor, clock, logger, runtime_options(), runtime_routes(agent));
    net::StopSignal signal(executor);
    net::TaskGroup tasks(executor, logger);

    Result<void> started = data.start();
    if (started) started = runtime.start();
    if (started) started = control.start();
    if (started) started = agent.open(data.address(), runtime.address());
    if (started) {
        tasks.start("stop signal", drain_on_signal(signal, agent));
        co_await agent.wait_exit();
    }
    // The answer to a destroy still goes out; then the function's and the gateway's connections.
    co_await control.stop(kServerDrain);
    co_await agent.close(kLastReport);
    co_await data.stop(Duration::zero());
    co_await runtime.stop(Duration::zero());
    tasks.cancel();
    co_await tasks.join();
    co_return started;
}

}  // namespace longhaul::runtime_agent_ext
