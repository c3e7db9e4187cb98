// The Bus over NATS: for programs that run apart from each other.
//
// Runs on one executor (a single thread or a strand), on which every call is made; not thread-safe.
// nats.c and its threads are behind impl/nats_link.hpp; nothing here blocks.
//   (1) Connects again for ever, with jitter, also when no server was there at the start.
//   (2) Nothing is kept for a server that is away: publish() then answers Errc::unavailable.
//   (3) Every subscription is watched: one that is silent for watchdog_interval gets a probe on its
//       own subject, after two it is renewed, after three the connection is. Probes never reach a
//       handler.
//   (4) What waits for a handler is bounded per subscription; beyond it messages are dropped,
//       counted, and on_reconnected() is told.
//   (5) After a Subscription is destroyed no call of its handler begins.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/nats/message.hpp"
#include "longhaul/nats/nats_options.hpp"
#include "longhaul/port/bus.hpp"
#include "longhaul/port/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::nats {

class NatsBus final : public port::Bus {
public:
    NatsBus(boost::asio::any_io_executor executor, port::Clock& clock, Logger logger,
            NatsOptions options);
    // REQUIRES: close() has returned, or open() was never called with success.
    ~NatsBus() override;
    NatsBus(const NatsBus&) = delete;
    NatsBus& operator=(const NatsBus&) = delete;

    // Begins to connect, in the background. Errc::invalid_argument: no URL, or a file that the
    // options name cannot be read; never because no server is there.
    [[nodiscard]] Result<void> open();

    // Called whenever something may have been missed: after each connect (the first too), after a
    // subscription was renewed, and after messages were dropped. Look-up is what repairs it.
    void on_reconnected(std::function<void()> observer);

    // Errc::invalid_argument: no subject. Errc::too_large: over the server's max_payload.
    // Errc::unavailable: not connected, or over what may wait for the socket.
    [[nodiscard]] Result<void> publish(std::string subject, std::string payload) override;
    // The same, with headers.
    [[nodiscard]] Result<void> send(NatsMessage message);
    // Over every connection; also before open() and while there is none.
    [[nodiscard]] Result<std::unique_ptr<port::Subscription>> subscribe(std::string pattern,
                                                                        Handler handler) override;

    // Publishes all in order, each with a reply subject of its own (`reply` is overwritten), and
    // returns the payloads of the answers, in order, once all are there. Errc::unavailable: not
    // connected, the connection was lost, or nobody listens; Errc::timed_out.
    boost::asio::awaitable<Result<std::vector<std::string>>> request_all(
        std::vector<NatsMessage> messages, Duration limit);
    // Returns when the server has taken in everything that was published before.
    boost::asio::awaitable<Result<void>> flush(Duration limit);

    // Sends what was taken, ends the connection, joins the threads. Handlers are not called any
    // more from its start on. Takes at most one connect or write timeout. Call it once.
    boost::asio::awaitable<void> close();

    [[nodiscard]] bool connected() const;
    [[nodiscard]] MetricSamples metrics() const;

private:
    struct State;
    // Shared with what the link has posted, and with subscriptions that outlive the bus.
    const std::shared_ptr<State> state_;
};

}  // namespace longhaul::nats
