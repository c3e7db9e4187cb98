#include "status_service/app.hpp"

#include "longhaul/net/metrics_page.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/net/task_group.hpp"
#include "status_service/driver/projection.hpp"
#include "status_service/routes/table.hpp"

#include <utility>

namespace longhaul::status_service {

namespace asio = boost::asio;

namespace {

constexpr Duration kTick = std::chrono::seconds(10);

void add(MetricSamples& samples, std::string_view name, std::string_view help, MetricType type,
         double value) {
    MetricSample sample;
    sample.name = "longhaul_status_" + std::string(name);
    sample.help = help;
    sample.type = type;
    sample.value = value;
    samples.push_back(std::move(sample));
}

MetricSamples collect(const Projection& projection) {
    const ProjectionCounters& it = projection.counters();
    MetricSamples out;
    const auto count = [&out](std::string_view name, std::string_view help, std::uint64_t value) {
        add(out, name, help, MetricType::counter, static_cast<double>(value));
    };
    count("reports_total", "Reports of hosts", it.reports);
    count("entries_total", "Changes in them", it.entries);
    count("reports_refused_total", "Reports refused", it.refused);
    count("entries_refused_total", "Changes that were wrong and left out", it.entries_refused);
    count("published_total", "Messages passed on", it.published);
    count("not_published_total", "Messages that nobody can get", it.not_published);
    count("snapshots_asked_total", "Times that a host was asked for everything",
          it.snapshots_asked);
    add(out, "hosts", "Hosts known", MetricType::gauge,
        static_cast<double>(projection.hosts().size()));
    add(out, "statuses", "Last known statuses", MetricType::gauge,
        static_cast<double>(projection.status_count()));
    return out;
}

}  // namespace

struct App::Impl {
    Impl(asio::any_io_executor executor_arg, Ports ports_arg, Config config_arg, Logger logger_arg)
        : executor(executor_arg),
          ports(ports_arg),
          config(std::move(config_arg)),
          logger(logger_arg.named("status_service")),
          projection(ports.clock, logger, ports.bus, {config.hosts_max, config.forget_after},
                     config.statuses_max),
          handles{projection, config.report_bytes_max},
          tasks(executor, logger) {}

    Result<void> start();
    asio::awaitable<void> stop();
    asio::awaitable<void> keep_time();
    [[nodiscard]] MetricSamples metrics() const;

    const asio::any_io_executor executor;
    const Ports ports;
    const Config config;
    const Logger logger;
    Projection projection;
    const Handles handles;
    net::TaskGroup tasks;
    std::unique_ptr<net::Server> internal;
    std::unique_ptr<net::Server> admin;
    std::function<MetricSamples()> more_metrics;
    bool started = false;
    bool stopping = false;
};

Result<void> App::Impl::start() {
    net::ServerOptions options;
    options.address = config.listen;
    options.name = "internal";
    options.secret = config.secret;
    internal = std::make_unique<net::Server>(executor, ports.clock, logger, options,
                                             internal_routes(handles));
    if (auto done = internal->start(); !done) return done;
    if (!config.admin_listen.empty()) {
        net::ServerOptions for_admins;
        for_admins.address = config.admin_listen;
        for_admins.name = "admin";
        net::AdminSources sources;
        sources.metrics = [this] { return metrics(); };
        sources.not_ready = [this]() -> std::optional<std::string> {
            if (stopping) return "stopping";
            return std::nullopt;
        };
        admin = std::make_unique<net::Server>(executor, ports.clock, logger, for_admins,
                                              net::admin_routes(std::move(sources)));
        if (auto done = admin->start(); !done) return done;
    }
    tasks.start("keep_time", keep_time());
    started = true;
    logger.info("started", {{"address", internal->address()}});
    return {};
}

MetricSamples App::Impl::metrics() const {
    MetricSamples samples = collect(projection);
    if (!more_metrics) return samples;
    MetricSamples more = more_metrics();
    samples.insert(samples.end(), more.begin(), more.end());
    return samples;
}

asio::awaitable<void> App::Impl::stop() {
    if (std::exchange(stopping, true)) co_return;
    tasks.cancel();
    if (internal) internal->refuse_new_work();
    for (net::Server* server : {internal.get(), admin.get()})
        if (server != nullptr) co_await server->stop(Duration{});
    co_await tasks.join();
    if (started) logger.info("stopped");
}

asio::awaitable<void> App::Impl::keep_time() {
    while (!tasks.cancelled()) {
        projection.tick();
        co_await ports.clock.wait_until(ports.clock.now() + kTick);
    }
}

App::App(asio::any_io_executor executor, Ports ports, Config config, Logger logger)
    : impl_(std::make_unique<Impl>(std::move(executor), ports, std::move(config),
                                   std::move(logger))) {}

App::~App() = default;

asio::awaitable<Result<void>> App::start() { co_return impl_->start(); }
asio::awaitable<void> App::stop() { return impl_->stop(); }
const std::string& App::address() const { return impl_->internal->address(); }
const std::string& App::admin_address() const {
    static const std::string kNone;
    return impl_->admin ? impl_->admin->address() : kNone;
}
MetricSamples App::metrics() const { return impl_->metrics(); }
void App::add_metrics(std::function<MetricSamples()> source) {
    impl_->more_metrics = std::move(source);
}

std::optional<std::string> App::not_ready() const {
    if (impl_->stopping) return "stopping";
    if (!impl_->started) return "starting";
    return std::nullopt;
}

}  // namespace longhaul::status_service
