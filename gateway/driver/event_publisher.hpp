// Publishes lifecycle events: what is durable goes out, at least once, in the order of the journal.
//
// Never in the way of an acknowledgement: events wait in memory until the sink has taken them, and
// beyond a bound the oldest are given up, counted, logged, and told as one gap event. Up to where
// they are out is kept by an EventCursor, at most once a second; a restart publishes the rest from
// the journal, which is not trimmed before it (held()).
//   (1) Events of one invocation are published in the order of their revisions.
//   (2) An event is given up only over the bound, or where the journal no longer has it.
//   (3) The journal's positions up to held() are published, or given up, and that is durable.
//
// Runs on one executor.
#pragma once

#include "gateway/driver/event_cursor.hpp"
#include "gateway/ledger/view.hpp"
#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/event_sink.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace longhaul::port {
class Clock;
}

namespace longhaul::gateway {

struct EventLimits {
    std::string source = "/longhaul";     // `source` of the events
    std::uint32_t backlog_max = 100'000;  // events that wait for the sink
    std::uint64_t backlog_bytes_max = 128u << 20;
    std::uint32_t batch_max = 256;  // events of one call of the sink
    Duration retry_after = std::chrono::milliseconds(500);
    Duration cursor_every = std::chrono::seconds(1);
};

// Where events go, and where it is kept how far they are. Both outlive the gateway.
struct EventOutlet {
    port::EventSink& sink;
    EventCursor& cursor;
};

class EventPublisher {
public:
    EventPublisher(boost::asio::any_io_executor executor, EventOutlet outlet, port::Clock& clock,
                   Logger logger, const EventLimits& limits);

    // Before anything else: returns the first position whose event is not out. What the journal no
    // longer has is a gap. An outlet that was never used begins with what comes after `opening`.
    [[nodiscard]] Result<port::Position> open(const port::JournalOpening& opening);

    // Each durable record, in order. `about` is the invocation that it is about, where it is about
    // one and that one is known.
    void add(const PositionedRecord& positioned, const Invocation* about);

    // Until finish(), or cancelled.
    boost::asio::awaitable<void> run();
    // Publishes what waits, if the sink takes it before `until`, and stores the cursor.
    boost::asio::awaitable<void> finish(TimePoint until);

    [[nodiscard]] port::Position held() const { return stored_; }
    [[nodiscard]] std::size_t backlog() const { return waiting_.size(); }
    void add_metrics(MetricSamples& samples) const;

private:
    struct Waiting {
        port::Position position = 0;
        port::OutgoingEvent event;
    };
    struct Gap {
        port::Position first = 0;
        port::Position last = 0;
        std::uint64_t count = 0;
    };

    [[nodiscard]] port::Position published() const;
    [[nodiscard]] static std::size_t bytes_of(const Waiting& waiting);
    void give_up(port::Position first, port::Position last, std::uint64_t count);
    void drop_oldest();
    boost::asio::awaitable<bool> publish_batch();
    boost::asio::awaitable<void> store_cursor();

    // Constant after construction.
    const EventOutlet outlet_;
    port::Clock& clock_;
    Logger logger_;
    const EventLimits limits_;

    net::Notifier work_;
    net::Notifier ended_;
    std::deque<Waiting> waiting_;
    std::size_t bytes_ = 0;
    std::size_t in_flight_ = 0;  // of those, with the sink just now
    std::optional<Gap> gap_;     // not yet told
    port::Position seen_ = 0;
    port::Position stored_ = 0;
    TimePoint stored_at_{};
    bool stopping_ = false;
    bool running_ = false;
    bool trouble_told_ = false;

    std::uint64_t published_count_ = 0;
    std::uint64_t given_up_count_ = 0;
    std::uint64_t failures_ = 0;
};

}  // namespace longhaul::gateway
