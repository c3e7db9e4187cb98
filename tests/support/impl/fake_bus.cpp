#include "tests/support/fake_bus.hpp"

#include "longhaul/system/subject.hpp"

#include <boost/asio/post.hpp>

#include <map>
#include <utility>

namespace longhaul::test {

namespace asio = boost::asio;

struct FakeBus::State : std::enable_shared_from_this<FakeBus::State> {
    struct Subscriber {
        std::string pattern;
        std::shared_ptr<Handler> handler;
    };

    State(asio::any_io_executor executor_in, FakeClock& clock_in, std::uint64_t seed)
        : executor{std::move(executor_in)}, clock{clock_in}, random{seed} {}

    void deliver(std::uint64_t id, const std::string& subject, const std::string& payload) {
        const auto found = subscribers.find(id);
        if (found == subscribers.end() || faults.cut) {
            return;
        }
        const auto handler = found->second.handler;
        ++delivered;
        (*handler)(subject, payload);
    }

    void send(std::uint64_t id, const std::string& subject, const std::string& payload) {
        auto deliver_now = [self = shared_from_this(), id, subject, payload] {
            self->deliver(id, subject, payload);
        };
        if (!random.chance(faults.delayed)) {
            asio::post(executor, std::move(deliver_now));
            return;
        }
        auto deliver_late = [self = shared_from_this(), deliver_now] {
            asio::post(self->executor, deliver_now);
        };
        clock.call_at(clock.now() + random.up_to(faults.delay_max), std::move(deliver_late));
    }

    const asio::any_io_executor executor;
    FakeClock& clock;
    SeededRandom random;
    BusFaults faults;
    std::map<std::uint64_t, Subscriber> subscribers;
    std::uint64_t next_id = 1;
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;
};

FakeBus::FakeBus(asio::any_io_executor executor, FakeClock& clock, std::uint64_t seed)
    : state_{std::make_shared<State>(std::move(executor), clock, seed)} {}

FakeBus::~FakeBus() { state_->subscribers.clear(); }

Result<void> FakeBus::publish(std::string subject, std::string payload) {
    State& state = *state_;
    if (!system::is_subject(subject)) {
        return make_error(Errc::invalid_argument, "'" + subject + "' is no subject");
    }
    if (state.faults.disconnected) {
        return make_error(Errc::unavailable, "the bus is disconnected");
    }
    ++state.published;
    if (state.faults.cut) {
        return {};
    }
    for (const auto& [id, subscriber] : state.subscribers) {
        if (!system::subject_matches(subscriber.pattern, subject) ||
            state.random.chance(state.faults.drop)) {
            continue;
        }
        state.send(id, subject, payload);
        if (state.random.chance(state.faults.duplicate)) {
            state.send(id, subject, payload);
        }
    }
    return {};
}

Result<std::unique_ptr<port::Subscription>> FakeBus::subscribe(std::string pattern,
                                                               Handler handler) {
    class FakeSubscription final : public port::Subscription {
    public:
        FakeSubscription(std::shared_ptr<State> state, std::uint64_t id)
            : state_{std::move(state)}, id_{id} {}
        ~FakeSubscription() override { state_->subscribers.erase(id_); }

    private:
        const std::shared_ptr<State> state_;
        const std::uint64_t id_;
    };

    if (!system::is_pattern(pattern)) {
        return make_error(Errc::invalid_argument, "'" + pattern + "' is no pattern of subjects");
    }
    const std::uint64_t id = state_->next_id++;
    state_->subscribers.emplace(
        id, State::Subscriber{std::move(pattern), std::make_shared<Handler>(std::move(handler))});
    return std::unique_ptr<port::Subscription>{std::make_unique<FakeSubscription>(state_, id)};
}

void FakeBus::set_faults(BusFaults faults) { state_->faults = faults; }

std::uint64_t FakeBus::published() const { return state_->published; }

std::uint64_t FakeBus::delivered() const { return state_->delivered; }

}  // namespace longhaul::test
