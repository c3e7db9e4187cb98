// status_service: host agents report to it in batches; it passes their changes on.
#include "longhaul/nats/nats_bus.hpp"
#include "longhaul/net/client.hpp"
#include "longhaul/program/service.hpp"
#include "longhaul/system/clock.hpp"
#include "status_service/app.hpp"
#include "status_service/driver/push_bus.hpp"

#include <memory>

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
     {"--nats", "nats.urls", "URL,…", "Servers of the bus on which changes are published"},
     {"--gateways", "gateways", "ADDRESS,…",
      "Without --nats: internal listeners of the gateways (127.0.0.1:7071)"}}};

net::ClientOptions with_secret(const std::string& secret) {
    net::ClientOptions options;
    options.secret = secret;
    return options;
}

class Service final : public program::Service {
public:
    Service(asio::io_context& io, const status_service::Config& config, const Logger& logger)
        : peer_(io.get_executor(), with_secret(config.secret)),
          push_bus_(io.get_executor(), clock_, logger, peer_,
                    config.nats.urls.empty() ? config.gateways : std::vector<std::string>{},
                    config.push),
          nats_bus_(config.nats.urls.empty() ? nullptr
                                             : std::make_unique<nats::NatsBus>(
                                                   io.get_executor(), clock_, logger, config.nats)),
          app_(io.get_executor(), {clock_, bus()}, config, logger) {
        app_.add_metrics([this] { return nats_bus_ ? nats_bus_->metrics() : push_bus_.metrics(); });
    }

    asio::awaitable<Result<Facts>> start() override {
        auto started = co_await app_.start();
        if (!started) co_return started.error();
        if (nats_bus_) {
            if (auto opened = nats_bus_->open(); !opened) co_return opened.error();
            nats_open_ = true;
        }
        co_return Facts{{"internal", app_.address()}, {"admin", app_.admin_address()}};
    }
    asio::awaitable<void> stop() override {
        co_await app_.stop();
        co_await push_bus_.stop();
        if (nats_open_) co_await nats_bus_->close();
    }

    [[nodiscard]] port::Clock& clock() { return clock_; }

private:
    [[nodiscard]] port::Bus& bus() {
        if (nats_bus_) return *nats_bus_;
        return push_bus_;
    }

    system::SystemClock clock_;
    net::HttpPeer peer_;
    status_service::PushBus push_bus_;
    std::unique_ptr<nats::NatsBus> nats_bus_;
    bool nats_open_ = false;
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
