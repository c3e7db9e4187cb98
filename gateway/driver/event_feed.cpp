#include "gateway/driver/event_feed.hpp"

#include <algorithm>
#include <utility>

namespace longhaul::gateway {

void EventFeed::publish(FeedItem item) {
    items_.push_back(std::move(item));
    if (items_.size() > kept_max_) {
        dropped_ = items_.front().position;
        items_.pop_front();
    }
    changed_.notify_all();
}

std::optional<std::vector<FeedItem>> EventFeed::after(port::Position cursor,
                                                      std::size_t max) const {
    if (cursor < dropped_) return std::nullopt;
    auto first = std::ranges::upper_bound(items_, cursor, {}, &FeedItem::position);
    std::vector<FeedItem> found;
    for (; first != items_.end() && found.size() < max; ++first) found.push_back(*first);
    return found;
}

boost::asio::awaitable<bool> EventFeed::wait(port::Clock& clock, TimePoint until) {
    const bool notified = co_await changed_.wait_until(clock, until);
    co_return notified;
}

}  // namespace longhaul::gateway
