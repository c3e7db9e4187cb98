// The Bus within one process: the embedded default, without NATS.
//
// Runs on one executor (a single thread or a strand), on which every call is made; not thread-safe.
//   (1) A handler never runs inside publish(): deliveries are posted, in the order of publishing.
//   (2) What waits is bounded; beyond it publish() drops the message, counts it and says so.
//   (3) After a Subscription is destroyed no call of its handler begins.
#pragma once

#include "longhaul/port/bus.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>

namespace longhaul::system {

struct LocalBusLimits {
    std::size_t pending_max = 65'536;                   // messages published, not yet delivered
    std::size_t pending_bytes_max = 64u * 1024 * 1024;  // of those, subject and payload
    std::size_t message_bytes_max = 1024u * 1024;       // one payload, as the NATS default
};

struct LocalBusCounters {
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;  // calls of handlers
    std::uint64_t dropped = 0;    // over a limit
};

class LocalBus final : public port::Bus {
public:
    explicit LocalBus(boost::asio::any_io_executor executor, LocalBusLimits limits = {});
    ~LocalBus() override;
    LocalBus(const LocalBus&) = delete;
    LocalBus& operator=(const LocalBus&) = delete;

    // Errc::invalid_argument: no subject. Errc::too_large: over message_bytes_max.
    // Errc::unavailable: over what may wait; dropped. A message that nobody subscribed to is no
    // error.
    [[nodiscard]] Result<void> publish(std::string subject, std::string payload) override;
    [[nodiscard]] Result<std::unique_ptr<port::Subscription>> subscribe(std::string pattern,
                                                                        Handler handler) override;

    [[nodiscard]] LocalBusCounters counters() const;

private:
    struct State;
    // Shared with posted deliveries and with subscriptions that outlive the bus.
    const std::shared_ptr<State> state_;
};

}  // namespace longhaul::system
