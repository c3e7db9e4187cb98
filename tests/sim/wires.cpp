#include "tests/sim/wires.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace longhaul::sim {

namespace asio = boost::asio;

namespace {

// Shared by the caller and the call.
struct Slot {
    explicit Slot(const asio::any_io_executor& executor)
        : answered(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer answered;
    std::optional<Result<port::PeerResponse>> outcome;
};

asio::awaitable<void> forward(test::FakePeer& peer, std::shared_ptr<Slot> slot, std::string address,
                              port::PeerRequest request, Duration limit) {
    auto answer = co_await peer.call(std::move(address), std::move(request), limit);
    slot->outcome.emplace(std::move(answer));
    slot->answered.cancel();
}

}  // namespace

asio::awaitable<Result<port::PeerResponse>> call_apart(net::TaskGroup& wires, test::FakePeer& peer,
                                                       std::string address,
                                                       port::PeerRequest request, Duration limit) {
    const auto slot = std::make_shared<Slot>(wires.executor());
    wires.start("call", forward(peer, slot, std::move(address), std::move(request), limit));
    boost::system::error_code ignored;
    if (!slot->outcome)
        co_await slot->answered.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (!slot->outcome) co_return make_error(Errc::cancelled, "the caller has died");
    co_return std::move(*slot->outcome);
}

}  // namespace longhaul::sim
