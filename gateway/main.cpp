// gateway: HTTP in, durable, dispatched to host agents. Runs until a signal, or until storage
// fails.
#include "gateway/app.hpp"
#include "longhaul/nats/event_sink.hpp"
#include "longhaul/nats/nats_bus.hpp"
#include "longhaul/program/service.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/local_bus.hpp"
#include "longhaul/system/random.hpp"

#include <memory>

namespace {

using namespace longhaul;
namespace asio = boost::asio;

const program::Program kProgram{
    "gateway",
    "The gateway of longhaul: takes invocations over HTTP, keeps them, sends them to host agents.",
    "Examples:\n"
    "  gateway --data-dir /var/lib/longhaul/gateway\n"
    "  gateway --config /etc/longhaul/gateway.toml --check\n"
    "  gateway --listen 0.0.0.0:7070 --print-config",
    {{"--listen", "listen", "ADDRESS", "Public HTTP, for callers (127.0.0.1:7070)"},
     {"--internal-listen", "internal_listen", "ADDRESS", "For other parts (127.0.0.1:7071)"},
     {"--admin-listen", "admin_listen", "ADDRESS", "Metrics and health (127.0.0.1:7072)"},
     {"--data-dir", "data_dir", "DIR", "Journal, view, bodies"},
     {"--status-service", "status_service", "ADDRESS", "Whose hosts are read (127.0.0.1:7080)"},
     {"--nats", "nats.urls", "URL,…", "Servers of the bus; none: status is pushed to us"},
     {"--blob-dir", "blob_dir", "DIR", "Packages; the host agents read the same folder"}}};

class Service final : public program::Service {
public:
    Service(asio::io_context& io, const gateway::Config& config, const Logger& logger)
        : local_bus_(io.get_executor()),
          nats_bus_(config.nats.urls.empty() ? nullptr
                                             : std::make_unique<nats::NatsBus>(
                                                   io.get_executor(), clock_, logger, config.nats)),
          events_(nats_bus_ && config.publish_events
                      ? std::make_unique<nats::NatsEventSink>(*nats_bus_, clock_, logger,
                                                              config.event_sink)
                      : nullptr),
          app_(
              io.get_executor(), clock_, random_, bus(), config, logger,
              [](const Error& error) { program::storage_failed("gateway", error); },
              events_.get()) {
        if (nats_bus_) app_.add_metrics([this] { return nats_bus_->metrics(); });
    }

    asio::awaitable<Result<Facts>> start() override {
        auto started = co_await app_.start();
        if (!started) co_return started.error();
        if (nats_bus_) {
            nats_bus_->on_reconnected([this] { app_.resync(); });
            if (auto opened = nats_bus_->open(); !opened) co_return opened.error();
            nats_open_ = true;
        }
        co_return Facts{{"public", app_.public_address()},
                        {"internal", app_.internal_address()},
                        {"admin", app_.admin_address()}};
    }
    void refuse_new_work() override { app_.refuse_new_work(); }
    asio::awaitable<void> stop() override {
        co_await app_.stop();
        if (nats_open_) co_await nats_bus_->close();
    }

    [[nodiscard]] port::Clock& clock() { return clock_; }

private:
    [[nodiscard]] port::Bus& bus() {
        if (nats_bus_) return *nats_bus_;
        return local_bus_;
    }

    system::SystemClock clock_;
    system::SystemRandom random_;
    system::LocalBus local_bus_;
    std::unique_ptr<nats::NatsBus> nats_bus_;
    std::unique_ptr<nats::NatsEventSink> events_;
    bool nats_open_ = false;
    gateway::App app_;
};

}  // namespace

int main(int argc, char** argv) {
    program::Start start{kProgram, argc, argv};
    const auto config = gateway::read_config(start.reader());
    if (const auto exit_code = start.settle(config)) return *exit_code;
    const std::string& told = start.ready_file();
    const std::string ready_file = told.empty() ? config->data_dir + "/ready.json" : told;
    asio::io_context io{1};
    Service service{io, *config, start.logger()};
    return program::run(io, service.clock(), start.logger(), start.name(), ready_file, service);
}
