// A loop, a bus, and what was heard on it: what the tests of NatsBus speak in.
//
// Everything but nats.c runs on one io_context in the test's own thread, on the real clock.
#pragma once

#include "longhaul/nats/nats_bus.hpp"
#include "longhaul/system/clock.hpp"
#include "tests/support/nats_server.hpp"
#include "tests/support/run.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::nats {

// Quick where the defaults are patient.
[[nodiscard]] inline NatsOptions quick_options(const std::string& url) {
    NatsOptions options;
    options.urls = {url};
    options.connect_timeout = std::chrono::milliseconds(500);
    options.reconnect_wait = std::chrono::milliseconds(10);
    options.reconnect_wait_max = std::chrono::milliseconds(50);
    options.watchdog_interval = std::chrono::milliseconds(100);
    return options;
}

struct Fixture {
    explicit Fixture(NatsOptions options)
        : bus(context.get_executor(), clock, Logger(), std::move(options)) {
        bus.on_reconnected([this] { ++resyncs; });
    }
    ~Fixture() {
        if (!closed) close();
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    // Runs the loop until `done()`; false after a time in which everything should have happened.
    [[nodiscard]] bool until(const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            context.restart();
            context.run_one_for(std::chrono::milliseconds(20));
        }
        return true;
    }

    void open() { bus.open().value(); }
    [[nodiscard]] bool connects() {
        return until([this] { return bus.connected(); });
    }
    [[nodiscard]] std::unique_ptr<port::Subscription> hear(const std::string& pattern) {
        return bus
            .subscribe(pattern,
                       [this](std::string_view subject, std::string_view payload) {
                           heard.push_back(std::string(subject) + "=" + std::string(payload));
                       })
            .value();
    }
    [[nodiscard]] bool hears(std::size_t count) {
        return until([this, count] { return heard.size() >= count; });
    }
    [[nodiscard]] Result<void> flush() {
        return test::run_task(context, bus.flush(std::chrono::seconds(10)));
    }
    void close() {
        closed = true;
        (void)test::run_task(context, close_bus(bus));
    }
    [[nodiscard]] double metric(const std::string& name, const std::string& why = {}) const {
        for (const MetricSample& sample : bus.metrics())
            if (sample.name == "longhaul_nats_" + name &&
                (why.empty() || sample.labels.front().second == why))
                return sample.value;
        return -1;
    }

    boost::asio::io_context context;
    system::SystemClock clock;
    NatsBus bus;
    std::vector<std::string> heard;
    int resyncs = 0;
    bool closed = false;

private:
    static boost::asio::awaitable<bool> close_bus(NatsBus& bus) {
        co_await bus.close();
        co_return true;
    }
};

}  // namespace longhaul::nats
