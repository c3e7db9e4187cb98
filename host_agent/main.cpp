// host_agent: one per machine. Starts runtime agents, keeps their results and logs, reports.
#include "host_agent/app.hpp"
#include "longhaul/blob/open_store.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/program/service.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/random.hpp"
#include "longhaul/system/workers.hpp"

#include <filesystem>

namespace {

using namespace longhaul;
namespace asio = boost::asio;

constexpr std::size_t kWorkerThreads = 4;

const program::Program kProgram{
    "host_agent",
    "The host agent of longhaul: runs the instances of one machine.",
    "Examples:\n"
    "  host_agent --data-dir /var/lib/longhaul/host --blob-dir /srv/longhaul/blobs\n"
    "  host_agent --config /etc/longhaul/host_agent.toml --check\n"
    "  host_agent --listen 10.0.0.7:7090 --status-service 10.0.0.5:7080",
    {{"--listen", "listen", "ADDRESS", "Where gateways reach it (127.0.0.1:7090)"},
     {"--admin-listen", "admin_listen", "ADDRESS", "Metrics and health (127.0.0.1:7091)"},
     {"--advertise", "advertise", "ADDRESS", "What gateways are told, where not --listen"},
     {"--data-dir", "data_dir", "DIR", "Where everything of this host is kept"},
     {"--status-service", "status_service", "ADDRESS", "Where it reports (127.0.0.1:7080)"},
     {"--drain-by", "drain_by", "DURATION",
      "At SIGTERM let what runs finish for so long, then stop it; a second SIGTERM ends at once "
      "(without: leave it running for the next host agent)"},
     {"--blob-dir", "blob_dir", "DIR", "Packages: the folder that the gateway writes"},
     {"--runtime-agent", "runtime_agent", "FILE",
      "The program runtime_agent_ext (beside this one)"}}};

net::ClientOptions with_secret(const std::string& secret) {
    net::ClientOptions options;
    options.secret = secret;
    return options;
}

host_agent::Config completed(host_agent::Config config) {
    config.data_dir = std::filesystem::absolute(config.data_dir).string();
    if (config.blob_dir.empty()) config.blob_dir = config.data_dir + "/blobs";
    if (config.runtime_agent.empty())
        config.runtime_agent = program::beside_own_program("runtime_agent_ext");
    return config;
}

class Service final : public program::Service {
public:
    Service(asio::io_context& io, const host_agent::Config& config, const Logger& logger)
        : workers_(kWorkerThreads),
          peer_(io.get_executor(), with_secret(config.secret)),
          store_peer_(io.get_executor(), {}),
          blobs_(
              blob::open_store(config.blob_dir, config.s3, store_peer_, clock_, disk_, workers_)),
          app_(io.get_executor(), {clock_, random_, disk_, workers_, peer_, *blobs_}, config,
               logger) {
        app_.on_storage_failure(
            [](const Error& error) { program::storage_failed("host_agent", error); });
    }

    asio::awaitable<Result<Facts>> start() override {
        auto started = co_await app_.start();
        if (!started) co_return started.error();
        co_return Facts{{"host", app_.host_id()},
                        {"internal", app_.address()},
                        {"admin", app_.admin_address()}};
    }
    asio::awaitable<void> leave(net::StopSignal& again) override { return app_.leave(again); }
    asio::awaitable<void> stop() override { return app_.stop(); }

    [[nodiscard]] port::Clock& clock() { return clock_; }

private:
    system::SystemClock clock_;
    system::SystemRandom random_;
    system::PosixDisk disk_;
    system::ThreadWorkers workers_;
    net::HttpPeer peer_;
    net::HttpPeer store_peer_;  // knows no secret of the cluster
    const std::unique_ptr<port::BlobStore> blobs_;
    host_agent::App app_;
};

}  // namespace

int main(int argc, char** argv) {
    program::Start start{kProgram, argc, argv};
    auto config = host_agent::read_config(start.reader());
    if (const auto exit_code = start.settle(config)) return *exit_code;
    const host_agent::Config complete = completed(std::move(*config));
    const std::string& told = start.ready_file();
    const std::string ready_file = told.empty() ? complete.data_dir + "/ready.json" : told;
    asio::io_context io{1};
    Service service{io, complete, start.logger()};
    return program::run(io, service.clock(), start.logger(), start.name(), ready_file, service);
}
