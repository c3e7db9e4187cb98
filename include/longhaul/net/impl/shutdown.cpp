#include "longhaul/net/shutdown.hpp"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace longhaul::net {

struct StopSignal::Impl {
    explicit Impl(const boost::asio::any_io_executor& executor)
        : signals(executor, SIGINT, SIGTERM) {}
    boost::asio::signal_set signals;
};

StopSignal::StopSignal(boost::asio::any_io_executor executor)
    : impl_(std::make_unique<Impl>(executor)) {}

StopSignal::~StopSignal() = default;

boost::asio::awaitable<int> StopSignal::next() {
    const int number = co_await impl_->signals.async_wait(boost::asio::use_awaitable);
    co_return number;
}

}  // namespace longhaul::net
