// Who waits for which invocation. Notified after what changed is durable.
//
// The usual loop, which misses nothing: take a Watch, note its count, read, compare, and wait only
// if the count is still the same.
#pragma once

#include "longhaul/base/id.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/port/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace longhaul::gateway {

class Watches {
    struct Topic;

public:
    explicit Watches(boost::asio::any_io_executor executor) : executor_(executor) {}

    class Watch {
    public:
        Watch(Watches& watches, InvocationId id);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;

        [[nodiscard]] std::uint64_t count() const;
        // Until the count differs from `seen`; false at `until`.
        boost::asio::awaitable<bool> wait(std::uint64_t seen, port::Clock& clock, TimePoint until);

    private:
        Watches& watches_;
        const InvocationId id_;
        std::shared_ptr<Topic> topic_;  // shared by all who watch the same invocation
    };

    void notify(const InvocationId& id);
    void notify_all();
    [[nodiscard]] std::size_t size() const { return topics_.size(); }

private:
    struct Topic {
        explicit Topic(boost::asio::any_io_executor executor) : notifier(executor) {}
        net::Notifier notifier;
        std::uint64_t count = 0;
        std::size_t watchers = 0;
    };

    boost::asio::any_io_executor executor_;
    std::unordered_map<InvocationId, std::shared_ptr<Topic>> topics_;
};

}  // namespace longhaul::gateway
