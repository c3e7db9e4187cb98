// The gateway as a whole: storage, loops, listeners, and the written order in which they start and
// stop. Built by main() and by `longhaul dev`, on one executor run by one thread.
#pragma once

#include "gateway/config.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/port/bus.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/random.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::port {
class EventSink;
}

namespace longhaul::gateway {

class App {
public:
    // `on_storage_failure` is called once when acknowledging had to stop (I12): the program must
    // then end with that message. `event_sink`, which outlives the App, gets lifecycle events.
    App(boost::asio::any_io_executor executor, port::Clock& clock, port::Random& random,
        port::Bus& bus, const Config& config, Logger logger,
        std::function<void(const Error&)> on_storage_failure,
        port::EventSink* event_sink = nullptr);
    ~App();
    App(const App&) = delete;
    App& operator=(const App&) = delete;

    // Opens storage, recovers, listens. Errc::conflict when another gateway has the data folder.
    boost::asio::awaitable<Result<void>> start();

    // What else /metrics shows. REQUIRES not started.
    void add_metrics(std::function<MetricSamples()> source);

    // Something of the bus may have been missed: asks who is there, and each for what it has.
    void resync();

    // From now on new work gets 503 and /readyz fails; status stays readable.
    void refuse_new_work();

    // Stops listening, persists, closes storage. Running work goes on at the hosts.
    boost::asio::awaitable<void> stop();

    // For a stop that waits: nothing more goes out; what holds a slot, by id; its end.
    void hold_grants();
    [[nodiscard]] std::vector<std::string> running() const;
    void kill_running(const std::string& by);

    // With real ports. REQUIRES started.
    [[nodiscard]] const std::string& public_address() const;
    [[nodiscard]] const std::string& internal_address() const;
    [[nodiscard]] const std::string& admin_address() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace longhaul::gateway
