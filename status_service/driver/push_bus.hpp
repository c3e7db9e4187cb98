// The bus where there is none: each message goes to the internal listener of each gateway that was
// named, over HTTP (POST /v1/status), in order and one at a time.
//
// Runs on one executor. A gateway that does not answer is asked again for ever, while its queue
// loses its oldest messages at the limit: the numbers in them tell the gateway, which looks up.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/bus.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/peer.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::status_service {

struct PushLimits {
    std::uint32_t queued_max = 1'000;                // messages, per gateway
    std::uint64_t queued_bytes_max = 32u << 20;      // the same
    Duration call_limit = std::chrono::seconds(5);   // of one message
    Duration backoff_max = std::chrono::seconds(1);  // after a failed one
};

struct PushCounters {
    std::uint64_t pushed = 0;
    std::uint64_t failed = 0;   // tries
    std::uint64_t refused = 0;  // messages that a gateway calls wrong
    std::uint64_t dropped = 0;  // messages, at the limit
};

class PushBus final : public port::Bus {
public:
    PushBus(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
            port::Peer& peer, std::vector<std::string> gateways, const PushLimits& limits);
    ~PushBus() override;  // REQUIRES stop() has returned, or nothing was published
    PushBus(const PushBus&) = delete;
    PushBus& operator=(const PushBus&) = delete;

    // Errc::unavailable where no gateway is named.
    [[nodiscard]] Result<void> publish(std::string subject, std::string payload) override;
    // Errc::unsupported: this bus leads one way.
    [[nodiscard]] Result<std::unique_ptr<port::Subscription>> subscribe(std::string pattern,
                                                                        Handler handler) override;
    boost::asio::awaitable<void> stop();

    [[nodiscard]] const PushCounters& counters() const { return counters_; }
    [[nodiscard]] MetricSamples metrics() const;

private:
    struct Line;

    boost::asio::awaitable<void> push(Line& line);
    boost::asio::awaitable<Result<void>> send(const std::string& address, std::string body);

    port::Clock& clock_;
    const Logger logger_;
    port::Peer& peer_;
    const PushLimits limits_;
    std::vector<std::unique_ptr<Line>> lines_;
    PushCounters counters_;
    net::TaskGroup tasks_;
};

}  // namespace longhaul::status_service
