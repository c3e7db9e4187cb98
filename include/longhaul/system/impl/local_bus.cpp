#include "longhaul/system/local_bus.hpp"

#include "longhaul/system/subject.hpp"

#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace longhaul::system {

namespace asio = boost::asio;

namespace {

// Handlers called per turn of the loop, so that a flood of messages lets other work in between.
constexpr std::size_t kDeliveriesPerTurn = 64;

struct Subscriber {
    std::string pattern;
    // Shared with a delivery in progress: a handler may end its own subscription.
    std::shared_ptr<port::Bus::Handler> handler;
};

struct Message {
    std::string subject;
    std::string payload;
    std::vector<std::uint64_t> subscribers;

    [[nodiscard]] std::size_t bytes() const { return subject.size() + payload.size(); }
};

}  // namespace

struct LocalBus::State : std::enable_shared_from_this<LocalBus::State> {
    State(asio::any_io_executor executor_in, LocalBusLimits limits_in)
        : executor{std::move(executor_in)}, limits{limits_in} {}

    void post_delivery() {
        asio::post(executor, [self = shared_from_this()] { self->deliver(); });
    }

    void deliver() {
        for (std::size_t calls = 0; !messages.empty() && calls < kDeliveriesPerTurn;) {
            const Message message = std::move(messages.front());
            messages.pop_front();
            pending_bytes -= message.bytes();
            for (const std::uint64_t id : message.subscribers) {
                if (const auto found = subscribers.find(id); found != subscribers.end()) {
                    const auto handler = found->second.handler;
                    ++counters.delivered;
                    ++calls;
                    (*handler)(message.subject, message.payload);
                }
            }
        }
        delivering = !messages.empty();
        if (delivering) {
            post_delivery();
        }
    }

    const asio::any_io_executor executor;
    const LocalBusLimits limits;

    std::map<std::uint64_t, Subscriber> subscribers;
    std::uint64_t next_id = 1;
    std::deque<Message> messages;
    std::size_t pending_bytes = 0;
    bool delivering = false;
    LocalBusCounters counters;
};

LocalBus::LocalBus(asio::any_io_executor executor, LocalBusLimits limits)
    : state_{std::make_shared<State>(std::move(executor), limits)} {}

LocalBus::~LocalBus() {
    // What is still posted finds nothing to do.
    state_->messages.clear();
    state_->pending_bytes = 0;
    state_->subscribers.clear();
}

Result<void> LocalBus::publish(std::string subject, std::string payload) {
    State& state = *state_;
    if (!is_subject(subject)) {
        return make_error(Errc::invalid_argument, fmt::format("'{}' is no subject", subject));
    }
    if (payload.size() > state.limits.message_bytes_max) {
        ++state.counters.dropped;
        return make_error(Errc::too_large,
                          fmt::format("a message of {} bytes is over the limit of {}",
                                      payload.size(), state.limits.message_bytes_max));
    }
    ++state.counters.published;
    Message message{std::move(subject), std::move(payload), {}};
    for (const auto& [id, subscriber] : state.subscribers) {
        if (subject_matches(subscriber.pattern, message.subject)) {
            message.subscribers.push_back(id);
        }
    }
    if (message.subscribers.empty()) {
        return {};
    }
    if (state.messages.size() >= state.limits.pending_max ||
        state.pending_bytes + message.bytes() > state.limits.pending_bytes_max) {
        ++state.counters.dropped;
        return make_error(Errc::unavailable,
                          fmt::format("{} messages with {} bytes wait on the local bus (limits {} "
                                      "and {}): dropped one",
                                      state.messages.size(), state.pending_bytes,
                                      state.limits.pending_max, state.limits.pending_bytes_max));
    }
    state.pending_bytes += message.bytes();
    state.messages.push_back(std::move(message));
    if (!std::exchange(state.delivering, true)) {
        state.post_delivery();
    }
    return {};
}

Result<std::unique_ptr<port::Subscription>> LocalBus::subscribe(std::string pattern,
                                                                Handler handler) {
    class LocalSubscription final : public port::Subscription {
    public:
        LocalSubscription(std::shared_ptr<State> state, std::uint64_t id)
            : state_{std::move(state)}, id_{id} {}
        ~LocalSubscription() override { state_->subscribers.erase(id_); }

    private:
        const std::shared_ptr<State> state_;  // shared: may outlive the bus
        const std::uint64_t id_;
    };

    if (!is_pattern(pattern)) {
        return make_error(Errc::invalid_argument,
                          fmt::format("'{}' is no pattern of subjects", pattern));
    }
    const std::uint64_t id = state_->next_id++;
    state_->subscribers.emplace(
        id, Subscriber{std::move(pattern), std::make_shared<Handler>(std::move(handler))});
    return std::unique_ptr<port::Subscription>{std::make_unique<LocalSubscription>(state_, id)};
}

LocalBusCounters LocalBus::counters() const { return state_->counters; }

}  // namespace longhaul::system
