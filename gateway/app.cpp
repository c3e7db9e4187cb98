#include "gateway/app.hpp"

#include "gateway/driver/disk_watch.hpp"
#include "gateway/driver/handle.hpp"
#include "gateway/driver/host_registry.hpp"
#include "gateway/ledger/rocks_view.hpp"
#include "gateway/routes/table.hpp"
#include "longhaul/base/assert.hpp"
#include "longhaul/blob/open_store.hpp"
#include "longhaul/journal/file_journal.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/net/metrics_page.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/workers.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace longhaul::gateway {
namespace {

net::ServerOptions server_options(const Config& config, std::string address, std::string name,
                                  std::string secret) {
    net::ServerOptions options;
    options.address = std::move(address);
    options.name = std::move(name);
    options.secret = std::move(secret);
    options.limits.connections_max = config.connections_max;
    options.limits.body_rate_min = config.body_rate_min;
    return options;
}

net::ClientOptions client_options(const Config& config) {
    net::ClientOptions options;
    options.secret = config.secret;
    return options;
}

BodyLimits upload_limits(const Config& config) {
    BodyLimits limits = config.bodies;
    limits.inline_max = 0;  // a package is always a file
    return limits;
}

}  // namespace

// In dependency order; destroyed in reverse.
struct App::Parts {
    Parts(boost::asio::any_io_executor executor_, port::Clock& clock_, port::Random& random_,
          port::Bus& bus_, const Config& config_, Logger logger_,
          std::function<void(const Error&)> on_failure_, port::EventSink* event_sink)
        : executor(executor_),
          clock(clock_),
          random(random_),
          bus(bus_),
          config(config_),
          logger(std::move(logger_)),
          on_failure(std::move(on_failure_)),
          workers(config_.workers),
          peer(executor_, client_options(config_)),
          store_peer(executor_, {}),
          blobs(blob::open_store(config_.blob_dir, config_.s3, store_peer, clock_, disk, workers)),
          bodies(config_.data_dir + "/bodies", disk, workers, random_, config_.bodies),
          uploads(config_.data_dir + "/uploads", disk, workers, random_, upload_limits(config_)),
          event_cursor(disk, workers, config_.data_dir + "/events.position"),
          space(disk, workers, clock_, logger_, config_.data_dir, config_.storage_reserve_bytes),
          loops(executor_, logger) {
        if (event_sink) event_outlet.emplace(EventOutlet{*event_sink, event_cursor});
    }

    [[nodiscard]] Result<void> open_storage();
    [[nodiscard]] Result<void> listen();
    [[nodiscard]] MetricSamples all_metrics() const;
    void resync();
    boost::asio::awaitable<void> run_journal();
    boost::asio::awaitable<void> read_registry();

    const boost::asio::any_io_executor executor;
    port::Clock& clock;
    port::Random& random;
    port::Bus& bus;
    const Config config;
    Logger logger;
    std::function<void(const Error&)> on_failure;
    std::function<MetricSamples()> more_metrics;
    bool stopping = false;
    bool reading_registry = false;

    system::PosixDisk disk;
    system::ThreadWorkers workers;
    system::ThreadWorkers committer{1};  // commits wait for nothing else
    net::HttpPeer peer;
    net::HttpPeer store_peer;  // knows no secret of the cluster
    const std::unique_ptr<port::BlobStore> blobs;
    BodyStore bodies;
    BodyStore uploads;
    EventCursor event_cursor;
    DiskWatch space;
    std::optional<EventOutlet> event_outlet;
    net::TaskGroup loops;
    std::unique_ptr<journal::FileJournal> journal;
    std::unique_ptr<View> view;
    std::optional<Gateway> gateway;
    std::optional<Api> api;
    std::unique_ptr<net::Server> public_server;
    std::unique_ptr<net::Server> internal_server;
    std::unique_ptr<net::Server> admin_server;
};

Result<void> App::Parts::open_storage() {
    if (auto made = disk.make_dir(config.data_dir); !made) return made.error();
    journal::FileJournalOptions journal_options;
    journal_options.folder = config.data_dir + "/journal";
    journal_options.segment_bytes = config.journal_segment_bytes;
    journal_options.salt = random.next();
    journal_options.commit_inline_below = config.journal_inline_below;
    journal_options.committer = &committer;
    auto opened = journal::FileJournal::open(disk, clock, workers, std::move(journal_options));
    if (!opened) return opened.error();
    journal = std::move(*opened);

    RocksViewOptions view_options;
    view_options.write_buffer_bytes = config.view_write_buffer_bytes;
    view_options.block_cache_bytes = config.view_cache_bytes;
    view_options.view.key_kept_after_accept = config.key_kept_after_accept;
    view_options.view.key_kept_after_end = config.key_kept_after_end;
    auto opened_view = RocksView::open(config.data_dir + "/view", view_options);
    if (!opened_view) return opened_view.error();
    view = std::move(*opened_view);

    gateway.emplace(executor,
                    GatewayPorts{clock, random, workers, *journal, peer, bus, *blobs, *view, bodies,
                                 uploads, event_outlet ? &*event_outlet : nullptr, &space},
                    config.limits, logger, on_failure);
    return {};
}

Result<void> App::Parts::listen() {
    api.emplace(Api{*gateway, config.api});
    public_server = std::make_unique<net::Server>(
        executor, clock, logger, server_options(config, config.listen, "public", {}),
        public_routes(*api));
    internal_server = std::make_unique<net::Server>(
        executor, clock, logger,
        server_options(config, config.internal_listen, "internal", config.secret),
        internal_routes(*api));
    net::AdminSources sources{[this] { return all_metrics(); },
                              [this] { return gateway->not_ready(); }};
    admin_server = std::make_unique<net::Server>(
        executor, clock, logger, server_options(config, config.admin_listen, "admin", {}),
        net::admin_routes(std::move(sources)));
    for (net::Server* server : {admin_server.get(), internal_server.get(), public_server.get()})
        if (auto started = server->start(); !started) return started.error();
    return {};
}

MetricSamples App::Parts::all_metrics() const {
    MetricSamples samples = gateway->metrics();
    for (const net::Server* server : {public_server.get(), internal_server.get()}) {
        MetricSamples more = server->metrics();
        samples.insert(samples.end(), more.begin(), more.end());
    }
    if (more_metrics) {
        MetricSamples more = more_metrics();
        samples.insert(samples.end(), more.begin(), more.end());
    }
    return samples;
}

void App::Parts::resync() {
    if (stopping || !gateway) return;
    gateway->resync();
    if (config.status_service.empty()) return;
    if (!std::exchange(reading_registry, true)) loops.start("registry", read_registry());
}

// A seal may fail when nobody appends.
boost::asio::awaitable<void> App::Parts::run_journal() {
    co_await journal->run();
    if (journal->failure()) on_failure(*journal->failure());
}

// Until the status service has answered once; from then on announcements tell.
boost::asio::awaitable<void> App::Parts::read_registry() {
    const RegistryLimits limits;
    Duration backoff = limits.backoff_min;
    bool told = false;
    while (!stopping) {
        std::string address = config.status_service;
        const Duration silence_max = config.limits.scheduler.hosts.suspect_after;
        auto hosts = co_await read_hosts(peer, std::move(address), limits.call_limit, silence_max);
        if (hosts) {
            gateway->load_hosts(*hosts);
            logger.info("hosts_read",
                        {{"from", config.status_service}, {"hosts", std::uint64_t{hosts->size()}}});
            break;
        }
        if (!std::exchange(told, true))
            logger.warning("hosts_not_read",
                           {{"from", config.status_service}, {"reason", hosts.error().message}});
        const TimePoint next = clock.now() + backoff;
        co_await clock.wait_until(next);
        backoff = std::min(backoff * 2, limits.backoff_max);
    }
    reading_registry = false;
}

App::App(boost::asio::any_io_executor executor, port::Clock& clock, port::Random& random,
         port::Bus& bus, const Config& config, Logger logger,
         std::function<void(const Error&)> on_storage_failure, port::EventSink* event_sink)
    : parts_(std::make_unique<Parts>(executor, clock, random, bus, config, std::move(logger),
                                     std::move(on_storage_failure), event_sink)) {}

App::~App() = default;

boost::asio::awaitable<Result<void>> App::start() {
    auto opened = parts_->open_storage();
    if (!opened) co_return opened.error();
    parts_->loops.start("journal", parts_->run_journal());
    parts_->loops.start("disk_watch", parts_->space.run());
    auto started = co_await parts_->gateway->start();
    if (!started) co_return started.error();
    auto listening = parts_->listen();
    if (listening) parts_->resync();
    co_return listening;
}

void App::resync() { parts_->resync(); }

void App::add_metrics(std::function<MetricSamples()> source) {
    parts_->more_metrics = std::move(source);
}

void App::refuse_new_work() {
    // The gateway refuses what is new itself; to read, cancel and kill stays possible.
    parts_->gateway->refuse_new_work();
}

boost::asio::awaitable<void> App::stop() {
    Parts& parts = *parts_;
    parts.stopping = true;
    if (parts.gateway) parts.gateway->refuse_new_work();
    if (parts.gateway) co_await parts.gateway->stop();
    for (net::Server* server :
         {parts.public_server.get(), parts.internal_server.get(), parts.admin_server.get()})
        if (server) co_await server->stop(parts.config.stop_timeout);
    parts.loops.cancel();
    co_await parts.loops.join();
}

void App::hold_grants() { parts_->gateway->hold_grants(); }

std::vector<std::string> App::running() const {
    std::vector<std::string> ids;
    parts_->gateway->scheduler().for_each([&ids](const Invocation& invocation) {
        if (holds_slot(invocation.state)) ids.push_back(invocation.id.text);
    });
    return ids;
}

void App::kill_running(const std::string& by) { parts_->gateway->kill_running(by); }

const std::string& App::public_address() const { return parts_->public_server->address(); }
const std::string& App::internal_address() const { return parts_->internal_server->address(); }
const std::string& App::admin_address() const { return parts_->admin_server->address(); }

}  // namespace longhaul::gateway
