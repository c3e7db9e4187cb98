#include "gateway/driver/event_publisher.hpp"

#include "gateway/driver/event_document.hpp"
#include "longhaul/port/clock.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::gateway {

EventPublisher::EventPublisher(boost::asio::any_io_executor executor, EventOutlet outlet,
                               port::Clock& clock, Logger logger, const EventLimits& limits)
    : outlet_(outlet),
      clock_(clock),
      logger_(std::move(logger)),
      limits_(limits),
      work_(executor),
      ended_(executor) {}

Result<port::Position> EventPublisher::open(const port::JournalOpening& opening) {
    auto stored = outlet_.cursor.load();
    if (!stored) return stored.error();
    // Never used: from now on, and for good, also if this life ends before it has stored anything.
    if (!*stored) {
        if (auto kept = outlet_.cursor.store_now(opening.last); !kept) return kept.error();
    }
    // Beyond the journal: of another one, which has nothing to publish.
    port::Position from = std::min(stored->value_or(opening.last), opening.last);
    if (from + 1 < opening.first) {
        give_up(from + 1, opening.first - 1, opening.first - 1 - from);
        from = opening.first - 1;
    }
    seen_ = from;
    stored_ = from;  // until it is stored again the old one holds
    return from + 1;
}

void EventPublisher::add(const PositionedRecord& positioned, const Invocation* about) {
    seen_ = positioned.position;
    if (is_event(positioned.record)) {
        if (!about) {
            give_up(positioned.position, positioned.position, 1);
        } else {
            waiting_.push_back({positioned.position, event_of(positioned, *about, limits_.source)});
            bytes_ += bytes_of(waiting_.back());
            while (waiting_.size() > std::max<std::size_t>(limits_.backlog_max, in_flight_ + 1) ||
                   (bytes_ > limits_.backlog_bytes_max && waiting_.size() > in_flight_ + 1))
                drop_oldest();
        }
    }
    work_.notify_all();
}

void EventPublisher::drop_oldest() {
    const auto oldest = waiting_.begin() + static_cast<std::ptrdiff_t>(in_flight_);
    bytes_ -= bytes_of(*oldest);
    give_up(oldest->position, oldest->position, 1);
    waiting_.erase(oldest);
}

void EventPublisher::give_up(port::Position first, port::Position last, std::uint64_t count) {
    if (!gap_) {
        logger_.error("events_given_up", {{"from_position", first},
                                          {"backlog_max", std::uint64_t{limits_.backlog_max}},
                                          {"backlog_bytes_max", limits_.backlog_bytes_max}});
        gap_ = Gap{first, last, 0};
    }
    gap_->last = std::max(gap_->last, last);
    gap_->count += count;
    given_up_count_ += count;
}

std::size_t EventPublisher::bytes_of(const Waiting& waiting) {
    const port::OutgoingEvent& event = waiting.event;
    return sizeof(Waiting) + event.id.size() + event.subject.size() + event.order.size() +
           event.body.size();
}

port::Position EventPublisher::published() const {
    return waiting_.empty() ? seen_ : waiting_.front().position - 1;
}

boost::asio::awaitable<void> EventPublisher::run() {
    running_ = true;
    while (true) {
        if (!waiting_.empty() || gap_) {
            const bool taken = co_await publish_batch();
            if (!taken && stopping_) break;
            if (!taken) {
                const TimePoint again = clock_.now() + limits_.retry_after;
                co_await clock_.wait_until(again);
            }
        }
        const TimePoint due = stored_at_ + limits_.cursor_every;
        if (published() > stored_ && clock_.now() >= due) co_await store_cursor();
        if (!waiting_.empty() || gap_) continue;
        if (stopping_) break;
        if (published() > stored_)
            co_await work_.wait_until(clock_, due);
        else
            co_await work_.wait();
    }
    if (published() > stored_) co_await store_cursor();
    running_ = false;
    ended_.notify_all();
}

// True when the sink has taken them.
boost::asio::awaitable<bool> EventPublisher::publish_batch() {
    const auto gap = gap_;
    const std::size_t count = std::min<std::size_t>(waiting_.size(), limits_.batch_max);
    std::vector<port::OutgoingEvent> batch;
    batch.reserve(count + 1);
    if (gap)
        batch.push_back(gap_event(gap->first, gap->last, gap->count, clock_.now(), limits_.source));
    for (std::size_t i = 0; i < count; ++i) batch.push_back(waiting_[i].event);
    in_flight_ = count;
    const auto taken = co_await outlet_.sink.publish(std::move(batch));
    in_flight_ = 0;
    if (!taken) {
        ++failures_;
        if (!std::exchange(trouble_told_, true))
            logger_.warning("events_wait", {{"why", taken.error().message}});
        co_return false;
    }
    if (std::exchange(trouble_told_, false))
        logger_.info("events_go_out", {{"waiting", std::uint64_t{waiting_.size()}}});
    for (std::size_t i = 0; i < count; ++i) {
        bytes_ -= bytes_of(waiting_.front());
        waiting_.pop_front();
    }
    published_count_ += count;
    // What was given up meanwhile lies behind this batch: it is a gap of its own.
    if (gap && gap_->count > gap->count)
        gap_ = Gap{gap->last + 1, gap_->last, gap_->count - gap->count};
    else
        gap_.reset();
    co_return true;
}

boost::asio::awaitable<void> EventPublisher::store_cursor() {
    const port::Position position = published();
    auto stored = co_await outlet_.cursor.store(position);
    stored_at_ = clock_.now();
    if (stored)
        stored_ = position;
    else
        logger_.warning("event_cursor_not_stored", {{"why", stored.error().message}});
}

boost::asio::awaitable<void> EventPublisher::finish(TimePoint until) {
    stopping_ = true;
    work_.notify_all();
    while (running_) {
        const bool notified = co_await ended_.wait_until(clock_, until);
        if (!notified) co_return;
    }
}

void EventPublisher::add_metrics(MetricSamples& samples) const {
    const auto add = [&samples](const char* name, const char* help, MetricType type,
                                std::uint64_t value) {
        MetricSample sample;
        sample.name = name;
        sample.help = help;
        sample.type = type;
        sample.value = static_cast<double>(value);
        samples.push_back(std::move(sample));
    };
    add("longhaul_events_published_total", "Lifecycle events that the sink has taken",
        MetricType::counter, published_count_);
    add("longhaul_events_given_up_total", "Lifecycle events that will never be published",
        MetricType::counter, given_up_count_);
    add("longhaul_events_failures_total", "Batches of events that the sink did not take",
        MetricType::counter, failures_);
    add("longhaul_events_backlog", "Lifecycle events that wait for the sink", MetricType::gauge,
        waiting_.size());
}

}  // namespace longhaul::gateway
