// Lifecycle events over NATS: plain, or into a JetStream stream.
//
// Plain: taken once the server has them; who is not subscribed then misses them. With a stream:
// taken once the stream has stored each. Every message carries its event's id in `Nats-Msg-Id`, by
// which a stream drops what it has had within its duplicate window.
//
// Runs on the executor of its NatsBus, which outlives it.
#pragma once

#include "longhaul/base/config.hpp"
#include "longhaul/nats/nats_bus.hpp"
#include "longhaul/port/event_sink.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::nats {

struct EventSinkOptions {
    std::string stream{};        // "" = plain
    bool create_stream = false;  // where it is not there
    // Of a stream that is created.
    Duration max_age = std::chrono::hours(24 * 7);
    std::uint64_t max_bytes = 1u << 30;
    std::uint32_t replicas = 1;
    Duration duplicate_window = std::chrono::minutes(2);

    Duration publish_timeout = std::chrono::seconds(5);  // of one batch of events
};

// Reads `prefix`.stream and so on; problems go into the reader.
void read_event_sink_options(ConfigReader& reader, EventSinkOptions& options,
                             std::string_view prefix = "events");

class NatsEventSink final : public port::EventSink {
public:
    NatsEventSink(NatsBus& bus, port::Clock& clock, Logger logger, EventSinkOptions options);

    boost::asio::awaitable<Result<void>> publish(std::vector<port::OutgoingEvent> events) override;

private:
    boost::asio::awaitable<Result<void>> publish_plain(std::vector<port::OutgoingEvent> events,
                                                       TimePoint until);
    boost::asio::awaitable<Result<void>> publish_stored(std::vector<port::OutgoingEvent> events,
                                                        TimePoint until);
    boost::asio::awaitable<Result<void>> store_wave(std::vector<NatsMessage> wave, TimePoint until);
    boost::asio::awaitable<Result<void>> ensure_stream(TimePoint until);
    [[nodiscard]] Duration left(TimePoint until) const;

    NatsBus& bus_;
    port::Clock& clock_;
    Logger logger_;
    const EventSinkOptions options_;
    bool stream_is_there_ = false;  // as far as is known
};

}  // namespace longhaul::nats
