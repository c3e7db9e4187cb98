#include "gateway/driver/watches.hpp"

#include <utility>

namespace longhaul::gateway {

Watches::Watch::Watch(Watches& watches, InvocationId id) : watches_(watches), id_(std::move(id)) {
    std::shared_ptr<Topic>& topic = watches_.topics_[id_];
    if (!topic) topic = std::make_shared<Topic>(watches_.executor_);
    topic_ = topic;
    ++topic_->watchers;
}

Watches::Watch::~Watch() {
    if (--topic_->watchers == 0) watches_.topics_.erase(id_);
}

std::uint64_t Watches::Watch::count() const { return topic_->count; }

boost::asio::awaitable<bool> Watches::Watch::wait(std::uint64_t seen, port::Clock& clock,
                                                  TimePoint until) {
    while (topic_->count == seen) {
        const bool notified = co_await topic_->notifier.wait_until(clock, until);
        if (!notified) co_return topic_->count != seen;
    }
    co_return true;
}

void Watches::notify(const InvocationId& id) {
    const auto found = topics_.find(id);
    if (found == topics_.end()) return;
    ++found->second->count;
    found->second->notifier.notify_all();
}

void Watches::notify_all() {
    for (auto& [id, topic] : topics_) {
        ++topic->count;
        topic->notifier.notify_all();
    }
}

}  // namespace longhaul::gateway
