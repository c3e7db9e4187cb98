// The recent changes of all invocations, for those who follow everything (GET /v1/events/stream).
//
// Bounded: a follower that comes back after more than `kept_max` changes is told that it missed
// some. Cursors are journal positions. Only what is durable is here.
#pragma once

#include "gateway/ledger/view.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace longhaul::gateway {

struct FeedItem {
    port::Position position = 0;
    InvocationId id;
    TenantName tenant;
    FunctionName function;
    HistoryEntry entry;
};

class EventFeed {
public:
    explicit EventFeed(boost::asio::any_io_executor executor, std::size_t kept_max = 10'000)
        : changed_(executor), kept_max_(kept_max) {}

    // What came up to `position` was before our time: not kept.
    void begin_at(port::Position position) { dropped_ = position; }
    void publish(FeedItem item);
    [[nodiscard]] port::Position last() const {
        return items_.empty() ? dropped_ : items_.back().position;
    }

    // What came after the cursor, at most `max`; nothing if some of it is no longer kept.
    [[nodiscard]] std::optional<std::vector<FeedItem>> after(port::Position cursor,
                                                             std::size_t max) const;
    // Until something is published; false at `until`.
    boost::asio::awaitable<bool> wait(port::Clock& clock, TimePoint until);
    void wake_all() { changed_.notify_all(); }

private:
    net::Notifier changed_;
    const std::size_t kept_max_;
    std::deque<FeedItem> items_;
    port::Position dropped_ = 0;  // the newest that is no longer kept
};

}  // namespace longhaul::gateway
