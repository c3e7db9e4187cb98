// `longhaul dev`: gateway, status service and host agent in one process, joined by the in-process
// bus; HTTP between them stays loopback HTTP, runtime agents are real child processes. With
// gateway.nats.urls lifecycle events go to NATS; what the parts tell each other stays in here.
#include "cli/dev.hpp"

#include "gateway/app.hpp"
#include "host_agent/app.hpp"
#include "longhaul/blob/open_store.hpp"
#include "longhaul/crypto/random.hpp"
#include "longhaul/nats/event_sink.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/net/shutdown.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/program/start.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/local_bus.hpp"
#include "longhaul/system/random.hpp"
#include "longhaul/system/workers.hpp"
#include "longhaul/wire/json.hpp"
#include "status_service/app.hpp"

#include <boost/asio/io_context.hpp>

#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

namespace longhaul::cli {
namespace {

constexpr int kExitStartFailed = 1;
constexpr int kExitBadConfig = 2;
constexpr int kExitStorageFailed = 3;
constexpr std::size_t kNamedAtMost = 5;
constexpr std::size_t kWorkerThreads = 4;
constexpr Duration kLookEvery = std::chrono::milliseconds(100);
constexpr Duration kKillLimit = std::chrono::seconds(15);

struct Flags {
    std::string data_dir = ".longhaul";
    std::uint16_t port = 7070;
    std::uint16_t internal_port = 7071;
    std::uint16_t admin_port = 7072;
    std::string config_file{};
    std::vector<std::string> settings{};
    std::string runtime_agent{};
    std::string log_level = "warning";
};

struct Configs {
    gateway::Config gateway;
    status_service::Config status;
    host_agent::Config host;
};

// The part of a document under "name.", without that prefix.
ConfigDocument section(const ConfigDocument& document, std::string_view name) {
    const std::string prefix = std::string(name) + ".";
    ConfigDocument part;
    for (const auto& [key, value] : document.values)
        if (key.starts_with(prefix)) part.values.emplace(key.substr(prefix.size()), value);
    return part;
}

Result<void> check_sections(const ConfigDocument& document) {
    for (const auto& [key, value] : document.values) {
        const std::string_view name = std::string_view(key).substr(0, key.find('.'));
        if (name != "gateway" && name != "status_service" && name != "host_agent")
            return make_error(
                Errc::invalid_argument,
                value.origin + ": \"" + key +
                    "\" is in none of the sections gateway, status_service, host_agent");
    }
    return {};
}

std::string loopback(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

// One component's settings out of the common document.
template <class Config>
Result<Config> read_section(const ConfigDocument& document, std::string_view name,
                            Result<Config> (*read)(ConfigReader&)) {
    const ConfigDocument part = section(document, name);
    ConfigReader reader{part};
    return read(reader);
}

Result<Configs> load_configs(const Flags& flags) {
    ConfigDocument document;
    if (!flags.config_file.empty()) {
        auto read = read_toml_file(flags.config_file);
        if (!read) return read.error();
        document = std::move(*read);
    }
    if (auto set = apply_settings(document, flags.settings); !set) return set.error();
    if (auto known = check_sections(document); !known) return known.error();
    auto gateway = read_section(document, "gateway", gateway::read_config);
    if (!gateway) return gateway.error();
    auto status = read_section(document, "status_service", status_service::read_config);
    if (!status) return status.error();
    auto host = read_section(document, "host_agent", host_agent::read_config);
    if (!host) return host.error();

    Configs configs{std::move(*gateway), std::move(*status), std::move(*host)};
    const std::string data_dir = std::filesystem::absolute(flags.data_dir).lexically_normal();
    const std::string secret = crypto::random_hex(16);  // the components of one process
    const bool pick_all = flags.port == 0;
    configs.gateway.data_dir = data_dir + "/gateway";
    configs.gateway.blob_dir = data_dir + "/blobs";
    configs.gateway.listen = loopback(flags.port);
    configs.gateway.internal_listen = loopback(pick_all ? std::uint16_t{0} : flags.internal_port);
    configs.gateway.admin_listen = loopback(pick_all ? std::uint16_t{0} : flags.admin_port);
    configs.gateway.api.trust_tenant_header = true;
    configs.gateway.secret = secret;
    configs.gateway.status_service.clear();  // the hosts of one process announce themselves
    configs.status.listen = loopback(0);
    configs.status.admin_listen = loopback(0);
    configs.status.secret = secret;
    configs.host.data_dir = data_dir + "/host";
    configs.host.blob_dir = configs.gateway.blob_dir;
    configs.host.listen = loopback(0);
    configs.host.admin_listen = loopback(0);
    configs.host.secret = secret;
    configs.host.runtime_agent = flags.runtime_agent.empty()
                                     ? program::beside_own_program("runtime_agent_ext")
                                     : flags.runtime_agent;
    return configs;
}

net::ClientOptions with_secret(const std::string& secret) {
    net::ClientOptions options;
    options.secret = secret;
    return options;
}

[[noreturn]] void storage_failed(const Error& error) {
    // I12: what was written is unknown, so nothing more is promised.
    std::fprintf(stderr, "longhaul dev: storage failed: %s\n", error.message.c_str());
    std::_Exit(kExitStorageFailed);
}

class Dev {
public:
    Dev(boost::asio::io_context& io, const Flags& flags, Configs configs, const Logger& logger)
        : io_(io),
          flags_(flags),
          configs_(std::move(configs)),
          workers_(kWorkerThreads),
          bus_(io.get_executor()),
          peer_(io.get_executor(), with_secret(configs_.host.secret)),
          store_peer_(io.get_executor(), {}),
          blobs_(blob::open_store(configs_.host.blob_dir, configs_.gateway.s3, store_peer_, clock_,
                                  disk_, workers_)),
          signals_(io.get_executor()),
          nats_(io.get_executor(), clock_, logger.named("nats"), configs_.gateway.nats),
          events_(nats_, clock_, logger.named("events"), configs_.gateway.event_sink),
          gateway_(io.get_executor(), clock_, random_, bus_, configs_.gateway,
                   logger.named("gateway"), storage_failed, publishes() ? &events_ : nullptr),
          status_(io.get_executor(), {clock_, bus_}, configs_.status,
                  logger.named("status_service")),
          executor_(io.get_executor()),
          logger_(logger) {
        if (publishes()) gateway_.add_metrics([this] { return nats_.metrics(); });
    }

    // The story: start in the order in which they need each other, tell where, wait for a signal,
    // stop in the reverse order.
    boost::asio::awaitable<void> live(int& exit_code) {
        auto started = co_await start();
        if (started) {
            announce();
            co_await wait_for_stop();
        } else {
            std::fprintf(stderr, "longhaul dev: %s\n", started.error().message.c_str());
            exit_code = kExitStartFailed;
        }
        co_await gateway_.stop();
        if (host_) co_await host_->stop();
        co_await status_.stop();
        co_await nats_.close();
        std::error_code ignored;
        std::filesystem::remove(ready_file(), ignored);
        // What is left are timers of idle connections, which nobody waits for.
        io_.stop();
    }

private:
    [[nodiscard]] bool publishes() const {
        return configs_.gateway.publish_events && !configs_.gateway.nats.urls.empty();
    }

    boost::asio::awaitable<Result<void>> start() {
        if (publishes())
            if (auto opened = nats_.open(); !opened) co_return opened.error();
        auto gateway = co_await gateway_.start();
        if (!gateway) co_return gateway.error();
        auto status = co_await status_.start();
        if (!status) co_return status.error();
        host_agent::Config host = configs_.host;
        host.status_service = status_.address();
        host_ = std::make_unique<host_agent::App>(
            executor_, host_agent::Ports{clock_, random_, disk_, workers_, peer_, *blobs_},
            std::move(host), logger_.named("host_agent"));
        host_->on_storage_failure(storage_failed);
        co_return co_await host_->start();
    }

    [[nodiscard]] std::string ready_file() const { return flags_.data_dir + "/dev.json"; }

    void announce() const {
        wire::Json ready = wire::Json::object();
        ready.set("pid", std::int64_t{::getpid()})
            .set("public", gateway_.public_address())
            .set("internal", gateway_.internal_address())
            .set("admin", gateway_.admin_address())
            .set("host_agent", host_->address());
        const std::string temporary = ready_file() + ".new";
        std::ofstream(temporary) << ready.dump() << "\n";
        std::filesystem::rename(temporary, ready_file());
        std::printf("longhaul dev ready: http://%s (data in %s)\n",
                    gateway_.public_address().c_str(), flags_.data_dir.c_str());
        std::fflush(stdout);
    }

    // SIGTERM is as to a gateway: running work goes on without us and is found again. Ctrl-C waits
    // for it; a second one kills it.
    boost::asio::awaitable<void> wait_for_stop() {
        const int signal = co_await signals_.next();
        gateway_.refuse_new_work();
        if (signal != SIGINT) co_return;
        gateway_.hold_grants();
        if (gateway_.running().empty()) co_return;
        std::fprintf(stderr, "\nlonghaul dev: no new work; waiting for %s (Ctrl-C again kills)\n",
                     named_running().c_str());
        net::TaskGroup waiting{executor_, logger_};
        int second = 0;
        waiting.start("second_signal", note_signal(second));
        while (!gateway_.running().empty() && second == 0) co_await pause();
        if (second == SIGINT) {
            gateway_.kill_running("longhaul dev, interrupted twice");
            const TimePoint until = clock_.now() + kKillLimit;
            while (!gateway_.running().empty() && clock_.now() < until) co_await pause();
        }
        waiting.cancel();
        co_await waiting.join();
    }

    boost::asio::awaitable<void> note_signal(int& signal) { signal = co_await signals_.next(); }

    boost::asio::awaitable<void> pause() {
        const TimePoint next = clock_.now() + kLookEvery;
        co_await clock_.wait_until(next);
    }

    [[nodiscard]] std::string named_running() const {
        const std::vector<std::string> ids = gateway_.running();
        std::string text = std::to_string(ids.size()) + " running:";
        for (std::size_t index = 0; index < ids.size() && index < kNamedAtMost; ++index)
            text += " " + ids[index];
        return ids.size() > kNamedAtMost ? text + " …" : text;
    }

    boost::asio::io_context& io_;
    const Flags flags_;
    const Configs configs_;
    system::SystemClock clock_;
    system::SystemRandom random_;
    system::PosixDisk disk_;
    system::ThreadWorkers workers_;
    system::LocalBus bus_;
    net::HttpPeer peer_;
    net::HttpPeer store_peer_;                      // knows no secret of the cluster
    const std::unique_ptr<port::BlobStore> blobs_;  // [gateway.s3] serves both
    net::StopSignal signals_;
    nats::NatsBus nats_;
    nats::NatsEventSink events_;
    gateway::App gateway_;
    status_service::App status_;
    std::unique_ptr<host_agent::App> host_;  // once the status service has an address
    boost::asio::any_io_executor executor_;
    Logger logger_;
};

LogLevel level_of(const std::string& name) {
    for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warning})
        if (to_string(level) == name) return level;
    return LogLevel::error;
}

int run_dev(const Flags& flags) {
    auto configs = load_configs(flags);
    if (!configs) {
        std::fprintf(stderr, "longhaul dev: %s\n", configs.error().message.c_str());
        return kExitBadConfig;
    }
    std::error_code error;
    std::filesystem::create_directories(flags.data_dir, error);
    if (error) {
        std::fprintf(stderr, "longhaul dev: --data-dir %s: %s\n", flags.data_dir.c_str(),
                     error.message().c_str());
        return kExitStartFailed;
    }
    const Logger logger = Logger::to_stderr(level_of(flags.log_level), LogFormat::text);
    boost::asio::io_context io{1};
    Dev dev{io, flags, std::move(*configs), logger};
    net::TaskGroup tasks{io.get_executor(), logger};
    int exit_code = 0;
    tasks.start("dev", dev.live(exit_code));
    io.run();
    io.restart();
    io.poll();  // the ends of what was cancelled
    return exit_code;
}

}  // namespace

void add_dev(CLI::App& app, int& exit_code) {
    CLI::App* command = app.add_subcommand(
        "dev", "Run the whole system here, in one process, on a durable journal");
    command->footer(
        "Examples:\n"
        "  longhaul dev\n"
        "  longhaul dev --data-dir /var/lib/longhaul --port 8080\n"
        "  longhaul dev --set gateway.limits.global_max=50\n"
        "\n"
        "SIGTERM: takes no new work and exits; what runs goes on and is found at the next start.\n"
        "Ctrl-C: takes no new work and waits for what runs; a second one kills it.");
    auto flags = std::make_shared<Flags>();  // shared with the callback, which outlives this call
    command->add_option("--data-dir", flags->data_dir, "Where everything is kept")
        ->capture_default_str();
    command->add_option("--port", flags->port, "Public HTTP; 0 picks free ports for all listeners")
        ->capture_default_str();
    command->add_option("--internal-port", flags->internal_port, "Between components")
        ->capture_default_str();
    command->add_option("--admin-port", flags->admin_port, "/metrics, /livez, /readyz")
        ->capture_default_str();
    command->add_option("--config", flags->config_file,
                        "A TOML file with [gateway], [status_service], [host_agent]");
    command->add_option("--set", flags->settings, "section.name=value; wins over the file")
        ->type_size(1);
    command->add_option("--runtime-agent", flags->runtime_agent,
                        "The program runtime_agent_ext; default: beside this one");
    command->add_option("--log-level", flags->log_level, "debug, info, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
    command->callback([flags, &exit_code] { exit_code = run_dev(*flags); });
}

}  // namespace longhaul::cli
