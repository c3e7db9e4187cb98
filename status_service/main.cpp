// status_service: host agents report to it in batches; it passes their changes on.
#include "longhaul/program/service.hpp"
#include "longhaul/system/clock.hpp"
#include "longhaul/system/local_bus.hpp"
#include "status_service/app.hpp"

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
     {"--admin-listen", "admin_listen", "ADDRESS", "Metrics and health (127.0.0.1:7081)"}}};

class Service final : public program::Service {
public:
    Service(asio::io_context& io, const status_service::Config& config, const Logger& logger)
        : bus_(io.get_executor()), app_(io.get_executor(), {clock_, bus_}, config, logger) {}

    asio::awaitable<Result<Facts>> start() override {
        auto started = co_await app_.start();
        if (!started) co_return started.error();
        co_return Facts{{"internal", app_.address()}, {"admin", app_.admin_address()}};
    }
    asio::awaitable<void> stop() override { return app_.stop(); }

    [[nodiscard]] port::Clock& clock() { return clock_; }

private:
    system::SystemClock clock_;
    system::LocalBus bus_;
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
