#include "host_agent/app.hpp"

#include "host_agent/driver/drain.hpp"
#include "host_agent/driver/isolation.hpp"
#include "host_agent/driver/recovery.hpp"
#include "host_agent/instances/machine.hpp"
#include "host_agent/instances/system_processes.hpp"
#include "host_agent/metrics.hpp"
#include "host_agent/routes/table.hpp"
#include "longhaul/journal/file_journal.hpp"
#include "longhaul/net/metrics_page.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/random.hpp"
#include "longhaul/wire/log_line.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kFileSweep = std::chrono::minutes(5);
constexpr Duration kLastEnds = std::chrono::seconds(5);  // SIGKILL to an acknowledged end

CoreLimits core_limits(const Config& config, const Machine& machine) {
    CoreLimits limits;
    limits.instances_max = config.instances_max;
    limits.memory_mb = config.memory_mb != 0 ? config.memory_mb : machine.memory_mb;
    limits.runs_max = config.runs_max;
    limits.fences_max = config.fences_max;
    limits.take_lease = config.take_lease;
    limits.instance_lease = config.instance_lease;
    limits.fence_retention = config.fence_retention;
    return limits;
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

PackageLimits package_limits(const Config& config) {
    PackageLimits limits;
    limits.package_max = config.package_max;
    limits.cache_max = config.package_cache_max;
    limits.fetch_timeout = config.fetch_timeout;
    limits.unpack.bytes_max = config.unpacked_max;
    limits.unpack.entries_max = config.unpacked_entries_max;
    return limits;
}

ReportLimits report_limits(const Config& config) {
    ReportLimits limits;
    limits.announce_interval = config.announce_interval;
    limits.report_timeout = config.report_timeout;
    limits.backoff_max = config.report_backoff_max;
    limits.progress_wait = config.progress_wait;
    limits.digest_interval = config.digest_interval;
    limits.entries_max = config.report_entries_max;
    limits.bytes_max = config.report_bytes_max;
    return limits;
}

// The host's name for as long as its data lives.
Result<HostId> load_host_id(port::Disk& disk, port::Random& random, const Config& config) {
    if (!config.host_id.empty()) return HostId{config.host_id};
    const std::string path = config.data_dir + "/host_id";
    auto file = disk.open(path, port::OpenMode::write);
    if (!file) return file.error();
    std::array<std::byte, 64> bytes{};
    auto size = (*file)->read_at(0, bytes);
    if (!size) return size.error();
    std::string name;
    for (std::size_t i = 0; i < *size; ++i) name += static_cast<char>(bytes[i]);
    if (!name.empty()) return HostId{name};
    name = "host-" + hex(random.next(), 0).substr(0, 12);
    if (auto done = (*file)->write_at(0, std::as_bytes(std::span(name))); !done)
        return done.error();
    if (auto done = (*file)->sync(); !done) return done.error();
    if (auto done = disk.sync_dir(config.data_dir); !done) return done.error();
    return HostId{name};
}

}  // namespace

// In dependency order; destroyed in the opposite one.
struct App::Impl {
    Impl(asio::any_io_executor executor_arg, Ports ports_arg, Config config_arg, Logger logger_arg);

    asio::awaitable<Result<void>> start();
    asio::awaitable<void> leave(net::StopSignal& again);
    asio::awaitable<void> stop();
    Result<void> open_journal();
    boost::asio::awaitable<void> run_journal();
    Result<void> listen();
    asio::awaitable<void> keep_time();
    asio::awaitable<void> sweep_files();
    [[nodiscard]] wire::HostAnnouncement announcement() const;
    [[nodiscard]] std::string advertised() const;
    void ordered_to_drain(bool on);
    asio::awaitable<void> obey_drain(bool on);
    [[nodiscard]] bool package_in_use(const Digest& digest) const;

    const asio::any_io_executor executor;
    const Ports ports;
    const Config config;
    const Machine machine;
    const Logger logger;
    HostId host;

    std::unique_ptr<journal::FileJournal> journal;
    Ledger ledger;
    AgentControl control;
    SystemProcesses processes;
    Keeper keeper;
    RunFiles files;
    FileWatch log_watch;
    PackageCache packages;
    StatusFlow status;
    LeaseFlow leases;
    TakeFlow takes;
    KillFlow kills;
    Recovery recovery;
    Drain drain;
    Isolation isolation;
    Reporter reporter;
    const Handles handles;

    net::TaskGroup tasks;    // until the end begins
    net::TaskGroup commits;  // the journal's: until everything else has ended
    std::unique_ptr<net::Server> agents;
    std::unique_ptr<net::Server> internal;
    std::unique_ptr<net::Server> admin;
    std::function<void(const Error&)> on_failure{};
    bool started = false;
    bool stopping = false;
};

App::Impl::Impl(asio::any_io_executor executor_arg, Ports ports_arg, Config config_arg,
                Logger logger_arg)
    : executor(executor_arg),
      ports(ports_arg),
      config(std::move(config_arg)),
      machine(read_machine()),
      logger(logger_arg.named("host_agent")),
      ledger(executor, ports.clock, logger, core_limits(config, machine),
             config.journal_compact_records),
      control(ports.peer, config.control_timeout),
      processes(ports.clock, ports.workers, spawn_settings(config)),
      keeper(executor, ports.clock, logger, ledger, control, processes, ports.random,
             {config.start_timeout, config.destroy_timeout}),
      files(ports.clock, logger, ports.disk, ports.workers, config.data_dir + "/logs",
            config.data_dir + "/results", {config.log_retention, config.log_bytes_max}),
      log_watch(executor, logger, files.log_folder()),
      packages(executor, ports.clock, logger, ports.workers, ports.blobs,
               config.data_dir + "/packages", package_limits(config),
               [this](const Digest& digest) { return package_in_use(digest); }),
      status(executor, ports.clock, logger, ledger, keeper, files, log_watch),
      leases(executor, ports.clock, logger, ledger, control, status,
             {config.hear_timeout, config.hear_at_once}),
      takes(executor, ports.clock, logger, ledger, keeper, control, leases, packages,
            {config.start_timeout, config.control_timeout}),
      kills(executor, ports.clock, logger, ledger, keeper, control, status, leases, files),
      recovery(executor, ports.clock, logger, ledger, keeper, control, status),
      drain(ports.clock, ledger, kills, status, host, config.drain_grace),
      isolation(ledger, keeper, kills, host, {config.alone_after, config.drain_grace}),
      reporter(
          executor, ports.clock, logger, ledger, ports.peer, config.status_service,
          report_limits(config), [this] { return announcement(); },
          [this](bool on) { ordered_to_drain(on); }),
      handles{host,  ledger,    takes,       kills,       leases,     status,       drain,
              files, log_watch, ports.blobs, ports.clock, ports.disk, ports.workers},
      tasks(executor, logger),
      commits(executor, logger) {}

asio::awaitable<Result<void>> App::Impl::start() {
    if (config.runtime_agent.empty())
        co_return make_error(Errc::invalid_argument,
                             "runtime_agent: the path of runtime_agent_ext "
                             "is missing");
    if (auto opened = open_journal(); !opened) co_return opened;
    // Before anything is reported the new epoch must be durable.
    commits.start("journal", run_journal());
    commits.start("commit", ledger.run());
    auto durable = co_await ledger.durable();
    if (!durable) co_return durable;
    auto cached = co_await packages.open();
    if (!cached) co_return cached;
    auto on_dead = [this](const InstanceId& id) { status.instance_dead(id); };
    if (auto opened = keeper.open(std::move(on_dead)); !opened) co_return opened;
    if (auto listening = listen(); !listening) co_return listening;
    recovery.start();
    reporter.start();
    tasks.start("keep_time", keep_time());
    tasks.start("sweep_files", sweep_files());
    started = true;
    logger.info("started", {{"host", host.text},
                            {"epoch", ledger.core().epoch()},
                            {"address", internal->address()},
                            {"runs", static_cast<std::uint64_t>(ledger.core().runs().size())}});
    co_return Result<void>{};
}

// A seal may fail when nobody appends.
asio::awaitable<void> App::Impl::run_journal() {
    co_await journal->run();
    if (journal->failure() && on_failure) on_failure(*journal->failure());
}

Result<void> App::Impl::open_journal() {
    if (auto made = ports.disk.make_dir(config.data_dir); !made) return made;
    if (auto made = files.open(); !made) return made;
    journal::FileJournalOptions options;
    options.folder = config.data_dir + "/journal";
    options.first_segment_bytes = 1u << 20;
    options.segment_bytes = 8u << 20;
    options.salt = ports.random.next();
    auto opened = journal::FileJournal::open(ports.disk, ports.clock, ports.workers, options);
    if (!opened) return opened.error();
    journal = std::move(*opened);
    if (const std::string cut = journal->opening().cut_tail; !cut.empty())
        logger.warning("journal_tail_cut", {{"range", cut}});
    auto name = load_host_id(ports.disk, ports.random, config);
    if (!name) return name.error();
    host = std::move(*name);
    return ledger.replay(*journal);
}

Result<void> App::Impl::listen() {
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
    sources.metrics = [this] {
        return collect_metrics(
            {ledger, keeper, takes, kills, leases, status, packages, files, &reporter});
    };
    sources.not_ready = [this]() -> std::optional<std::string> {
        if (stopping) return "stopping";
        if (ledger.failed()) return "the journal failed";
        return std::nullopt;
    };
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
    const HostCore& core = ledger.core();
    const TimePoint until = ports.clock.now() + config.drain_by + config.drain_grace + kLastEnds;
    drain.leave(config.drain_by);
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

// Nothing below waits for a run: those belong to processes that go on.
asio::awaitable<void> App::Impl::stop() {
    if (std::exchange(stopping, true)) co_return;
    tasks.cancel();
    if (internal) internal->refuse_new_work();
    co_await takes.stop();
    co_await kills.stop();
    co_await leases.stop();
    co_await recovery.stop();
    co_await reporter.stop();
    co_await log_watch.stop();
    for (net::Server* server : {internal.get(), agents.get(), admin.get()})
        if (server != nullptr) co_await server->stop(Duration{});
    co_await status.stop();
    co_await keeper.stop();
    co_await tasks.join();
    ledger.stop();
    (void)co_await ledger.durable();
    commits.cancel();
    co_await commits.join();
    if (started) logger.info("stopped");
}

asio::awaitable<void> App::Impl::keep_time() {
    while (!tasks.cancelled()) {
        const TimePoint now = ports.clock.now();
        HostCore& core = ledger.core();
        const bool draining = core.drain() != nullptr;
        status.offer_leases(!draining);
        leases.tick(draining);
        status.retire();
        for (const RunKey& key : core.lapsed(now)) kills.lapse(key);
        core.forget_old(now);
        ledger.sweep();
        drain.tick();
        isolation.tick(now, reporter.reached_at());
        co_await ports.clock.wait_until(now + kTick);
    }
}

asio::awaitable<void> App::Impl::sweep_files() {
    while (!tasks.cancelled()) {
        // Asked only after the folders were listed, and then all at once: names of that moment.
        RunFiles::IsLive is_live = [this, live = std::set<std::string, std::less<>>{},
                                    listed = false](std::string_view name) mutable {
            if (!std::exchange(listed, true)) {
                for (const auto& [key, run] : ledger.core().runs()) {
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

wire::HostAnnouncement App::Impl::announcement() const {
    const HostCore& core = ledger.core();
    const CoreLimits& limits = core.limits();
    wire::HostAnnouncement self;
    self.host = host;
    self.epoch = core.epoch();
    self.last_seq = core.last_seq();
    self.address = advertised();
    self.capacity.memory_mb = limits.memory_mb;
    self.capacity.cpu_millis = config.cpu_millis;
    self.capacity.instances_max = limits.instances_max;
    self.instances = static_cast<std::uint32_t>(core.instances().size());
    self.memory_used_mb = core.memory_busy_mb();
    self.loaded = idle_instances(core);
    self.packages = packages.digests();
    self.draining = core.drain() != nullptr;
    return self;
}

std::string App::Impl::advertised() const {
    const std::string own = internal ? internal->address() : config.listen;
    if (!config.advertise.ends_with(":0")) return config.advertise.empty() ? own : config.advertise;
    return reachable_host(config) + own.substr(own.rfind(':'));
}

// Said again with every answer until an announcement says that it is done.
void App::Impl::ordered_to_drain(bool on) {
    if (on == (ledger.core().drain() != nullptr)) return;
    logger.info("ordered", {{"drain", on}});
    tasks.start("obey_drain", obey_drain(on));
}

asio::awaitable<void> App::Impl::obey_drain(bool on) {
    DrainOrder order;
    order.reason = "ordered by the status service";
    order.since = ports.clock.now();
    auto done = on ? co_await drain.begin(std::move(order)) : co_await drain.end();
    if (!done) logger.warning("order_not_obeyed", {{"why", done.error().message}});
}

bool App::Impl::package_in_use(const Digest& digest) const {
    for (const auto& [id, instance] : ledger.core().instances())
        if (instance.loaded && instance.loaded->package == digest) return true;
    return false;
}

App::App(asio::any_io_executor executor, Ports ports, Config config, Logger logger)
    : impl_(std::make_unique<Impl>(std::move(executor), ports, std::move(config),
                                   std::move(logger))) {}

App::~App() = default;

void App::on_storage_failure(std::function<void(const Error&)> handler) {
    impl_->on_failure = handler;
    impl_->ledger.on_failure(std::move(handler));
}

asio::awaitable<Result<void>> App::start() { return impl_->start(); }
asio::awaitable<void> App::leave(net::StopSignal& again) { return impl_->leave(again); }
asio::awaitable<void> App::stop() { return impl_->stop(); }
const std::string& App::address() const { return impl_->internal->address(); }
const std::string& App::admin_address() const {
    static const std::string kNone;
    return impl_->admin ? impl_->admin->address() : kNone;
}
const std::string& App::host_id() const { return impl_->host.text; }

MetricSamples App::metrics() const {
    const Impl& it = *impl_;
    return collect_metrics({it.ledger, it.keeper, it.takes, it.kills, it.leases, it.status,
                            it.packages, it.files, &it.reporter});
}

std::optional<std::string> App::not_ready() const {
    if (impl_->stopping) return "stopping";
    if (!impl_->started) return "starting";
    if (impl_->ledger.failed()) return "the journal failed";
    return std::nullopt;
}

}  // namespace longhaul::host_agent
