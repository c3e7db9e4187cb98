// A host agent as one object: a Host (driver/host.hpp) with its listeners and the real machine.
//
// main() builds one on its own io_context, `longhaul dev` one beside the other components; all
// on one executor (one thread or a strand). It owns its journal, its listeners and its tasks; the
// ports outlive it. Runtime agents are processes of their own and outlive it too.
#pragma once

#include "host_agent/config.hpp"
#include "host_agent/driver/ports.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>

namespace longhaul::net {
class StopSignal;
}  // namespace longhaul::net

namespace longhaul::host_agent {

class App {
public:
    App(boost::asio::any_io_executor executor, Ports ports, Config config, Logger logger);
    ~App();  // REQUIRES stop() has returned, or start() was never called
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    // Called once when this host's journal cannot be written, for the program to stop (I12): its
    // runs go on, and the next host agent finds them. Before start().
    void on_storage_failure(std::function<void(const Error&)> handler);

    // Opens the journal, finds earlier runs, listens. After an error stop() is still due.
    boost::asio::awaitable<Result<void>> start();

    // Where Config::drain_by says so: takes no more work, and returns when everything that runs
    // here has ended and is acknowledged, at the latest when that time is over; at once when
    // `again` brings another signal. Then stop() is due.
    boost::asio::awaitable<void> leave(net::StopSignal& again);

    // Takes no more work, makes durable what is staged, leaves the runs to its successor. Quick.
    boost::asio::awaitable<void> stop();

    // REQUIRES start() has succeeded.
    [[nodiscard]] const std::string& address() const;        // internal: "127.0.0.1:7090"
    [[nodiscard]] const std::string& admin_address() const;  // "" = no such listener
    [[nodiscard]] const std::string& host_id() const;

    [[nodiscard]] MetricSamples metrics() const;
    // Why it is not ready, or nothing.
    [[nodiscard]] std::optional<std::string> not_ready() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::host_agent
