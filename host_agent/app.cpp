#include "host_agent/app.hpp"

#include "host_agent/driver/host.hpp"
#include "host_agent/instances/machine.hpp"
#include "host_agent/instances/system_processes.hpp"
#include "host_agent/metrics.hpp"
#include "host_agent/routes/table.hpp"
#include "longhaul/net/metrics_page.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/wire/log_line.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kFileSweep = std::chrono::minutes(5);
constexpr Duration kLastEnds = std::chrono::seconds(5);  // SIGKILL to an acknowledged end

Config with_memory(Config config) {
    if (config.memory_mb == 0) config.memory_mb = read_machine().memory_mb;
    return config;
}

// "10.0.0.7" of "10.0.0.7:7090".
std::string_view host_part(std::string_view address) {
    return address.substr(0, address.rfind(':'));
}

// Where the gateways reach what listens here.
std::string reachable_host(const Config& config) {
    const std::string& address = config.advertise.empty() ? config.listen : config.advertise;
    return address.starts_with("unix:") ? "127.0.0.1" : std::string(host_part(address));
}

SpawnSettings spawn_settings(const Config& config) {
    SpawnSettings settings;
    settings.data_listen = reachable_host(config) + ":0";
    settings.program = config.runtime_agent;
    settings.instances_dir = config.data_dir + "/instances";
    settings.log_dir = config.data_dir + "/logs";
    settings.result_dir = config.data_dir + "/results";
    settings.host_socket = config.data_dir + "/agents.sock";
    settings.function_path = config.function_path;
    settings.uids.claims_dir = config.uid_claims_dir;
    settings.uids.owner = config.data_dir;
    settings.uids.first = config.uid_first;
    settings.uids.count = config.uid_count;
    settings.pids_max = config.pids_max;
    settings.cgroups = config.cgroups;
    settings.file_max = config.file_max;
    settings.open_files_max = config.open_files_max;
    settings.run_log_max = config.run_log_max;
    return settings;
}

}  // namespace

// In dependency order; destroyed in the opposite one.
struct App::Impl {
    Impl(asio::any_io_executor executor_arg, Ports ports_arg, Config config_arg, Logger logger_arg);

    asio::awaitable<Result<void>> start();
    asio::awaitable<void> leave(net::StopSignal& again);
    asio::awaitable<void> stop();
    Result<void> listen();
    asio::awaitable<void> sweep_files();
    [[nodiscard]] std::string advertised() const;
    [[nodiscard]] MetricSamples metrics() const;
    [[nodiscard]] std::optional<std::string> not_ready() const;

    const asio::any_io_executor executor;
    const Ports ports;
    const Config config;
    const Logger logger;

    SystemProcesses processes;
    Host host;

    net::TaskGroup tasks;  // until the end begins
    std::unique_ptr<net::Server> agents;
    std::unique_ptr<net::Server> internal;
    std::unique_ptr<net::Server> admin;
    bool started = false;
    bool stopping = false;
};

App::Impl::Impl(asio::any_io_executor executor_arg, Ports ports_arg, Config config_arg,
                Logger logger_arg)
    : executor(executor_arg),
      ports(ports_arg),
      config(with_memory(std::move(config_arg))),
      logger(logger_arg.named("host_agent")),
      processes(ports.clock, ports.workers, spawn_settings(config)),
      host(executor, ports, processes, config, logger),
      tasks(executor, logger) {}

asio::awaitable<Result<void>> App::Impl::start() {
    if (config.runtime_agent.empty())
        co_return make_error(Errc::invalid_argument,
                             "runtime_agent: the path of runtime_agent_ext "
                             "is missing");
    auto opened = co_await host.open();
    if (!opened) co_return opened;
    auto cached = co_await host.packages().open();
    if (!cached) co_return cached;
    if (auto listening = listen(); !listening) co_return listening;
    host.begin(advertised());
    tasks.start("sweep_files", sweep_files());
    started = true;
    const HostCore& core = host.ledger().core();
    logger.info("started", {{"host", host.id().text},
                            {"epoch", core.epoch()},
                            {"address", internal->address()},
                            {"runs", static_cast<std::uint64_t>(core.runs().size())}});
    co_return Result<void>{};
}

Result<void> App::Impl::listen() {
    const Handles& handles = host.handles();
    net::ServerOptions unix_socket;
    unix_socket.address = "unix:" + config.data_dir + "/agents.sock";
    unix_socket.name = "agents";
    agents = std::make_unique<net::Server>(executor, ports.clock, logger, unix_socket,
                                           agent_routes(handles));
    if (auto done = agents->start(); !done) return done;
    net::ServerOptions tcp;
    tcp.address = config.listen;
    tcp.name = "internal";
    tcp.secret = config.secret;
    internal =
        std::make_unique<net::Server>(executor, ports.clock, logger, tcp, internal_routes(handles));
    if (auto done = internal->start(); !done) return done;
    if (config.admin_listen.empty()) return {};
    net::ServerOptions for_admins;
    for_admins.address = config.admin_listen;
    for_admins.name = "admin";
    net::AdminSources sources;
    sources.metrics = [this] { return metrics(); };
    sources.not_ready = [this] { return not_ready(); };
    admin = std::make_unique<net::Server>(executor, ports.clock, logger, for_admins,
                                          net::admin_routes(std::move(sources)));
    return admin->start();
}

namespace {

// Once more the signal: no more patience.
asio::awaitable<void> hear_again(net::StopSignal& again, bool& heard, net::Notifier& changed) {
    (void)co_await again.next();
    heard = true;
    changed.notify_all();
}

}  // namespace

asio::awaitable<void> App::Impl::leave(net::StopSignal& again) {
    if (config.drain_by <= Duration::zero()) co_return;
    Ledger& ledger = host.ledger();
    const HostCore& core = ledger.core();
    const TimePoint until = ports.clock.now() + config.drain_by + config.drain_grace + kLastEnds;
    host.handles().drain.leave(config.drain_by);
    logger.info("drains_before_it_stops",
                {{"runs", static_cast<std::uint64_t>(core.blocking().size())},
                 {"limit", format_duration(config.drain_by)}});
    bool heard_again = false;
    net::TaskGroup listening(executor, logger);
    listening.start("second_signal", hear_again(again, heard_again, ledger.changed()));
    while (!heard_again && !core.blocking().empty() && ports.clock.now() < until) {
        const TimePoint next = std::min(until, ports.clock.now() + kTick);
        (void)co_await ledger.changed().wait_until(ports.clock, next);
    }
    listening.cancel();
    co_await listening.join();
    if (!core.blocking().empty())
        logger.warning("leaves_runs_to_its_successor",
                       {{"runs", static_cast<std::uint64_t>(core.blocking().size())}});
}

asio::awaitable<void> App::Impl::stop() {
    if (std::exchange(stopping, true)) co_return;
    tasks.cancel();
    if (internal) internal->refuse_new_work();
    co_await host.stop_work();
    for (net::Server* server : {internal.get(), agents.get(), admin.get()})
        if (server != nullptr) co_await server->stop(Duration{});
    co_await tasks.join();
    co_await host.stop();
    if (started) logger.info("stopped");
}

asio::awaitable<void> App::Impl::sweep_files() {
    RunFiles& files = host.handles().files;
    while (!tasks.cancelled()) {
        // Asked only after the folders were listed, and then all at once: names of that moment.
        RunFiles::IsLive is_live = [this, live = std::set<std::string, std::less<>>{},
                                    listed = false](std::string_view name) mutable {
            if (!std::exchange(listed, true)) {
                for (const auto& [key, run] : host.ledger().core().runs()) {
                    live.insert(wire::log_file_name(wire_key(key)));
                    live.insert(wire::result_file_name(wire_key(key)));
                }
            }
            return live.contains(name);
        };
        co_await files.sweep(std::move(is_live));
        co_await ports.clock.wait_until(ports.clock.now() + kFileSweep);
    }
}

std::string App::Impl::advertised() const {
    const std::string& own = internal->address();
    if (!config.advertise.ends_with(":0")) return config.advertise.empty() ? own : config.advertise;
    return reachable_host(config) + own.substr(own.rfind(':'));
}

MetricSamples App::Impl::metrics() const {
    const Handles& parts = host.handles();
    return collect_metrics({parts.ledger, host.keeper(), parts.takes, parts.kills, parts.leases,
                            parts.status, host.packages(), parts.files, &host.reporter()});
}

std::optional<std::string> App::Impl::not_ready() const {
    if (stopping) return "stopping";
    if (!started) return "starting";
    if (host.handles().ledger.failed()) return "the journal failed";
    return std::nullopt;
}

App::App(asio::any_io_executor executor, Ports ports, Config config, Logger logger)
    : impl_(std::make_unique<Impl>(std::move(executor), ports, std::move(config),
                                   std::move(logger))) {}

App::~App() = default;

void App::on_storage_failure(std::function<void(const Error&)> handler) {
    impl_->host.on_storage_failure(std::move(handler));
}

asio::awaitable<Result<void>> App::start() { return impl_->start(); }
asio::awaitable<void> App::leave(net::StopSignal& again) { return impl_->leave(again); }
asio::awaitable<void> App::stop() { return impl_->stop(); }
const std::string& App::address() const { return impl_->internal->address(); }
const std::string& App::admin_address() const {
    static const std::string kNone;
    return impl_->admin ? impl_->admin->address() : kNone;
}
const std::string& App::host_id() const { return impl_->host.id().text; }
MetricSamples App::metrics() const { return impl_->metrics(); }
std::optional<std::string> App::not_ready() const { return impl_->not_ready(); }

}  // namespace longhaul::host_agent
