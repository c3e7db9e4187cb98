#include "host_agent/driver/host.hpp"

#include "longhaul/port/random.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr std::uint64_t kFirstSegmentMax = 1u << 20;  // bytes

CoreLimits core_limits(const Config& config) {
    CoreLimits limits;
    limits.instances_max = config.instances_max;
    limits.memory_mb = config.memory_mb;
    limits.runs_max = config.runs_max;
    limits.fences_max = config.fences_max;
    limits.take_lease = config.take_lease;
    limits.instance_lease = config.instance_lease;
    limits.fence_retention = config.fence_retention;
    return limits;
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

Host::Host(asio::any_io_executor executor, const Ports& ports, Processes& processes,
           const Config& config, const Logger& logger)
    : ports_(ports),
      config_(config),
      logger_(logger),
      ledger_(executor, ports.clock, logger_, core_limits(config_),
              config_.journal_compact_records),
      control_(ports.peer, config_.control_timeout),
      keeper_(executor, ports.clock, logger_, ledger_, control_, processes, ports.random,
              {config_.start_timeout, config_.destroy_timeout}),
      files_(ports.clock, logger_, ports.disk, ports.workers, config_.data_dir + "/logs",
             config_.data_dir + "/results", {config_.log_retention, config_.log_bytes_max}),
      log_watch_(executor, logger_, files_.log_folder()),
      packages_(executor, ports.clock, logger_, ports.workers, ports.blobs,
                config_.data_dir + "/packages", package_limits(config_),
                [this](const Digest& digest) { return package_in_use(digest); }),
      status_(executor, ports.clock, logger_, ledger_, keeper_, files_, log_watch_),
      leases_(executor, ports.clock, logger_, ledger_, control_, status_,
              {config_.hear_timeout, config_.hear_at_once}),
      takes_(executor, ports.clock, logger_, ledger_, keeper_, control_, leases_, packages_,
             {config_.start_timeout, config_.control_timeout}),
      kills_(executor, ports.clock, logger_, ledger_, keeper_, control_, status_, leases_, files_),
      recovery_(executor, ports.clock, logger_, ledger_, keeper_, control_, status_),
      drain_(ports.clock, ledger_, kills_, status_, id_, config_.drain_grace),
      isolation_(ledger_, keeper_, kills_, id_, {config_.alone_after, config_.drain_grace}),
      reporter_(
          executor, ports.clock, logger_, ledger_, ports.peer, config_.status_service,
          report_limits(config_), [this] { return announcement(); },
          [this](bool on) { ordered_to_drain(on); }),
      handles_{id_,    ledger_,    takes_,      kills_,      leases_,    status_,      drain_,
               files_, log_watch_, ports.blobs, ports.clock, ports.disk, ports.workers},
      tasks_(executor, logger_),
      commits_(executor, logger_) {}

Host::~Host() = default;

void Host::on_storage_failure(std::function<void(const Error&)> handler) {
    on_failure_ = handler;
    ledger_.on_failure(std::move(handler));
}

asio::awaitable<Result<void>> Host::open() {
    if (auto opened = open_journal(); !opened) co_return opened;
    // Before anything is reported the new epoch must be durable.
    commits_.start("journal", run_journal());
    commits_.start("commit", ledger_.run());
    auto durable = co_await ledger_.durable();
    if (!durable) co_return durable;
    auto on_dead = [this](const InstanceId& id) { status_.instance_dead(id); };
    auto opened = keeper_.open(std::move(on_dead));
    co_return opened;
}

// A seal may fail when nobody appends.
asio::awaitable<void> Host::run_journal() {
    co_await journal_->run();
    if (journal_->failure() && on_failure_) on_failure_(*journal_->failure());
}

Result<void> Host::open_journal() {
    if (auto made = ports_.disk.make_dir(config_.data_dir); !made) return made;
    if (auto made = files_.open(); !made) return made;
    journal::FileJournalOptions options;
    options.folder = config_.data_dir + "/journal";
    options.first_segment_bytes = std::min(kFirstSegmentMax, config_.journal_segment_bytes);
    options.segment_bytes = config_.journal_segment_bytes;
    options.salt = ports_.random.next();
    auto opened = journal::FileJournal::open(ports_.disk, ports_.clock, ports_.workers, options);
    if (!opened) return opened.error();
    journal_ = std::move(*opened);
    if (const std::string cut = journal_->opening().cut_tail; !cut.empty())
        logger_.warning("journal_tail_cut", {{"range", cut}});
    auto name = load_host_id(ports_.disk, ports_.random, config_);
    if (!name) return name.error();
    id_ = std::move(*name);
    return ledger_.replay(*journal_);
}

void Host::begin(std::string address) {
    address_ = std::move(address);
    recovery_.start();
    reporter_.start();
    tasks_.start("keep_time", keep_time());
}

asio::awaitable<void> Host::stop_work() {
    tasks_.cancel();
    co_await takes_.stop();
    co_await kills_.stop();
    co_await leases_.stop();
    co_await recovery_.stop();
    co_await reporter_.stop();
    co_await log_watch_.stop();
}

asio::awaitable<void> Host::stop() {
    co_await status_.stop();
    co_await keeper_.stop();
    co_await tasks_.join();
    ledger_.stop();
    (void)co_await ledger_.durable();
    commits_.cancel();
    co_await commits_.join();
}

asio::awaitable<void> Host::keep_time() {
    while (!tasks_.cancelled()) {
        const TimePoint now = ports_.clock.now();
        HostCore& core = ledger_.core();
        const bool draining = core.drain() != nullptr;
        status_.offer_leases(!draining);
        leases_.tick(draining);
        status_.retire();
        for (const RunKey& key : core.lapsed(now)) kills_.lapse(key);
        core.forget_old(now);
        ledger_.sweep();
        drain_.tick();
        isolation_.tick(now, reporter_.reached_at());
        co_await ports_.clock.wait_until(now + kTick);
    }
}

wire::HostAnnouncement Host::announcement() const {
    const HostCore& core = ledger_.core();
    const CoreLimits& limits = core.limits();
    wire::HostAnnouncement self;
    self.host = id_;
    self.epoch = core.epoch();
    self.last_seq = core.last_seq();
    self.address = address_;
    self.capacity.memory_mb = limits.memory_mb;
    self.capacity.cpu_millis = config_.cpu_millis;
    self.capacity.instances_max = limits.instances_max;
    self.instances = static_cast<std::uint32_t>(core.instances().size());
    self.memory_used_mb = core.memory_busy_mb();
    self.loaded = idle_instances(core);
    self.packages = packages_.digests();
    self.draining = core.drain() != nullptr;
    return self;
}

// Said again with every answer until an announcement says that it is done.
void Host::ordered_to_drain(bool on) {
    if (on == (ledger_.core().drain() != nullptr)) return;
    logger_.info("ordered", {{"drain", on}});
    tasks_.start("obey_drain", obey_drain(on));
}

asio::awaitable<void> Host::obey_drain(bool on) {
    DrainOrder order;
    order.reason = "ordered by the status service";
    order.since = ports_.clock.now();
    auto done = on ? co_await drain_.begin(std::move(order)) : co_await drain_.end();
    if (!done) logger_.warning("order_not_obeyed", {{"why", done.error().message}});
}

bool Host::package_in_use(const Digest& digest) const {
    for (const auto& [id, instance] : ledger_.core().instances())
        if (instance.loaded && instance.loaded->package == digest) return true;
    return false;
}

}  // namespace longhaul::host_agent
