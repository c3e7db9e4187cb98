#include "tests/support/fake_peer.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace longhaul::test {

namespace asio = boost::asio;

namespace {

class StringSource final : public port::ByteSource {
public:
    explicit StringSource(std::string bytes) : bytes_{std::move(bytes)} {}
    asio::awaitable<Result<std::string>> read() override { co_return std::exchange(bytes_, {}); }

private:
    std::string bytes_;
};

Error lost_error(const std::string& address) {
    return make_error(Errc::timed_out, address + " did not answer in time");
}

Error dead_error(const std::string& address) {
    return make_error(Errc::unavailable, "the connection to " + address + " broke off");
}

}  // namespace

// One call, shared by its caller and by the handler's coroutine: either may end first.
struct FakePeer::Call {
    Call(asio::any_io_executor executor, std::uint64_t number_in, std::string address_in)
        : number{number_in}, address{std::move(address_in)}, ended{executor} {
        ended.expires_at(asio::steady_timer::time_point::max());
    }

    void finish(Result<port::PeerResponse> result) {
        if (!outcome) {
            outcome.emplace(std::move(result));
            ended.cancel();
        }
    }

    const std::uint64_t number;
    const std::string address;
    std::optional<Result<port::PeerResponse>> outcome;
    asio::steady_timer ended;
    asio::cancellation_signal stop_handler;
};

struct FakePeer::State : std::enable_shared_from_this<FakePeer::State> {
    State(asio::any_io_executor executor_in, FakeClock& clock_in, std::uint64_t seed)
        : executor{std::move(executor_in)}, clock{clock_in}, random{seed} {}

    [[nodiscard]] const PeerFaults& faults_of(const std::string& address) const {
        const auto found = faults_by_address.find(address);
        return found == faults_by_address.end() ? faults : found->second;
    }

    // The server's side, from the arrival of the request to that of the response.
    static asio::awaitable<void> serve(std::shared_ptr<State> self, std::shared_ptr<Call> call,
                                       Handler handler, port::PeerRequest request) {
        Result<port::PeerResponse> result = co_await handler(std::move(request));
        const PeerFaults faults = self->faults_of(call->address);
        if (self->random.chance(faults.break_off)) {
            call->finish(dead_error(call->address));
            co_return;
        }
        if (self->cut.contains(call->address) || self->random.chance(faults.lose_response)) {
            co_return;
        }
        const TimePoint arrival = self->clock.now() + self->random.up_to(faults.delay_max);
        co_await self->clock.wait_until(arrival);
        call->finish(std::move(result));
    }

    void start(const std::shared_ptr<Call>& call, Handler handler, port::PeerRequest request) {
        running.emplace(call->number, call);
        auto ended = [self = shared_from_this(), call](std::exception_ptr failure) {
            self->running.erase(call->number);
            if (failure) {
                call->finish(dead_error(call->address));
            }
        };
        asio::co_spawn(executor,
                       serve(shared_from_this(), call, std::move(handler), std::move(request)),
                       asio::bind_cancellation_slot(call->stop_handler.slot(), std::move(ended)));
    }

    const asio::any_io_executor executor;
    FakeClock& clock;
    SeededRandom random;
    PeerFaults faults;
    std::map<std::string, PeerFaults> faults_by_address;
    std::set<std::string> cut;
    std::map<std::string, Handler> handlers;

    std::map<std::uint64_t, std::shared_ptr<Call>> running;  // by number, so by age
    std::uint64_t calls = 0;
};

FakePeer::FakePeer(asio::any_io_executor executor, FakeClock& clock, std::uint64_t seed)
    : state_{std::make_shared<State>(std::move(executor), clock, seed)} {}

FakePeer::~FakePeer() = default;

asio::awaitable<Result<port::PeerResponse>> FakePeer::call(std::string address,
                                                           port::PeerRequest request,
                                                           Duration limit) {
    const std::shared_ptr<State> state = state_;
    const TimePoint deadline = state->clock.now() + limit;
    const std::uint64_t number = ++state->calls;
    const PeerFaults faults = state->faults_of(address);
    const Duration delay = state->random.up_to(faults.delay_max);
    if (!state->handlers.contains(address) || state->random.chance(faults.refuse)) {
        co_return make_error(Errc::unreachable, "no connection to " + address);
    }
    if (state->cut.contains(address) || delay > limit ||
        state->random.chance(faults.lose_request)) {
        co_await state->clock.wait_until(deadline);
        co_return lost_error(address);
    }
    co_await state->clock.wait_until(state->clock.now() + delay);
    const auto server = state->handlers.find(address);
    if (server == state->handlers.end()) {
        co_return dead_error(address);
    }
    const auto call = std::make_shared<Call>(state->executor, number, address);
    std::function<void()> give_up = [call] { call->finish(lost_error(call->address)); };
    const auto ticket = state->clock.call_at(deadline, std::move(give_up));
    state->start(call, server->second, std::move(request));
    boost::system::error_code ignored;
    if (!call->outcome) {
        co_await call->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    state->clock.forget(ticket);
    if (!call->outcome) {
        co_return make_error(Errc::cancelled, "the caller was cancelled");
    }
    co_return std::move(*call->outcome);
}

void FakePeer::serve(std::string address, Handler handler) {
    state_->handlers[std::move(address)] = std::move(handler);
}

void FakePeer::remove(const std::string& address) {
    state_->handlers.erase(address);
    const auto running = state_->running;
    for (const auto& [number, call] : running) {
        if (call->address == address) {
            call->finish(dead_error(address));
            // From within a handler: outside of one asio posts the signal, to a call that may have
            // ended by then.
            asio::post(state_->executor, [state = state_, call_to_stop = call] {
                if (state->running.contains(call_to_stop->number))
                    call_to_stop->stop_handler.emit(asio::cancellation_type::terminal);
            });
        }
    }
}

std::size_t FakePeer::running(const std::string& address) const {
    std::size_t found = 0;
    for (const auto& [number, call] : state_->running) {
        found += call->address == address ? 1 : 0;
    }
    return found;
}

void FakePeer::set_faults(PeerFaults faults) { state_->faults = faults; }

void FakePeer::set_faults(const std::string& address, PeerFaults faults) {
    state_->faults_by_address[address] = faults;
}

void FakePeer::set_cut(const std::string& address, bool cut) {
    if (cut) {
        state_->cut.insert(address);
    } else {
        state_->cut.erase(address);
    }
}

std::uint64_t FakePeer::calls() const { return state_->calls; }

std::unique_ptr<port::ByteSource> make_source(std::string bytes) {
    return std::make_unique<StringSource>(std::move(bytes));
}

port::PeerResponse make_response(int status, std::string body, port::Headers headers) {
    return port::PeerResponse{status, std::move(headers), make_source(std::move(body))};
}

}  // namespace longhaul::test
