// A status service as one object: takes reports of hosts, passes them on to the bus.
//
// main() builds one on its own io_context, `longhaul dev` one beside the other components; all
// on one executor. The ports outlive it.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/port/bus.hpp"
#include "longhaul/port/clock.hpp"
#include "status_service/config.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::status_service {

struct Ports {
    port::Clock& clock;
    port::Bus& bus;
};

class App {
public:
    App(boost::asio::any_io_executor executor, Ports ports, Config config, Logger logger);
    ~App();  // REQUIRES stop() has returned, or start() was never called
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    // Listens. After an error stop() is still due.
    boost::asio::awaitable<Result<void>> start();
    boost::asio::awaitable<void> stop();

    // What else /metrics shows. REQUIRES not started.
    void add_metrics(std::function<MetricSamples()> source);

    // REQUIRES start() has succeeded.
    [[nodiscard]] const std::string& address() const;        // internal: "127.0.0.1:7080"
    [[nodiscard]] const std::string& admin_address() const;  // "" = no such listener

    [[nodiscard]] MetricSamples metrics() const;
    [[nodiscard]] std::optional<std::string> not_ready() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::status_service
