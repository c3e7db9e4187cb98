// status_service: host agents report to it in batches; it passes their changes on.
#include "longhaul/net/client.hpp"
#include "longhaul/program/service.hpp"
#include "longhaul/system/clock.hpp"
#include "status_service/app.hpp"
#include "status_service/driver/push_bus.hpp"

namespace {

using namespace longhaul;
namespace asio = boost::asio;

const program::Program kProgram{
    "status_service",
    "The status service of longhaul: collects what host agents report, and passes it on.",
    "Examples:\n"
    "  status_service\n"
    "  status_service --config /etc/longhaul/status_service.toml --check\n"
    "  status_service --listen 10.0.0.5:7080 --set secret_file=/etc/longhaul/secret",
    {{"--listen", "listen", "ADDRESS", "Where host agents report (127.0.0.1:7080)"},
     {"--admin-listen", "admin_listen", "ADDRESS", "Metrics and health (127.0.0.1:7081)"},
     {"--gateways", "gateways", "ADDRESS,…",
      "Internal listeners of the gateways that are told (127.0.0.1:7071)"}}};

net::ClientOptions with_secret(const std::string& secret) {
    net::ClientOptions options;
    options.secret = secret;
    return options;
}

class Service final : public program::Service {
public:
    Service(asio::io_context& io, const status_service::Config& config, const Logger& logger)
        : peer_(io.get_executor(), with_secret(config.secret)),
          bus_(io.get_executor(), clock_, logger, peer_, config.gateways, config.push),
          app_(io.get_executor(), {clock_, bus_}, config, logger) {
        app_.add_metrics([this] { return bus_.metrics(); });
    }

    asio::awaitable<Result<Facts>> start() override {
        auto started = co_await app_.start();
        if (!started) co_return started.error();
        co_return Facts{{"internal", app_.address()}, {"admin", app_.admin_address()}};
    }
    asio::awaitable<void> stop() override {
        co_await app_.stop();
        co_await bus_.stop();
    }

    [[nodiscard]] port::Clock& clock() { return clock_; }

private:
    system::SystemClock clock_;
    net::HttpPeer peer_;
    status_service::PushBus bus_;
    status_service::App app_;
};

}  // namespace

int main(int argc, char** argv) {
    program::Start start{kProgram, argc, argv};
    const auto config = status_service::read_config(start.reader());
    if (const auto exit_code = start.settle(config)) return *exit_code;
    asio::io_context io{1};
    Service service{io, *config, start.logger()};
    return program::run(io, service.clock(), start.logger(), start.name(), start.ready_file(),
                        service);
}
