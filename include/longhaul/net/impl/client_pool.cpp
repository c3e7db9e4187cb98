#include "longhaul/net/impl/client_pool.hpp"

#include <sys/socket.h>
#include <algorithm>
#include <chrono>

namespace longhaul::net {
namespace {

// False when the other side closed it, or sent what nobody asked for.
bool looks_alive(Channel& channel) {
    if (!channel.unread().empty()) return false;
    char byte = 0;
    const auto size = ::recv(channel.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

TimePoint monotonic_now() {
    return TimePoint(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

ClientConnection::ClientConnection(StreamSocket socket, std::string address_arg)
    : channel(std::move(socket)), address(std::move(address_arg)), timer_(channel.executor()) {}

void ClientConnection::arm(TimePoint limit_at) {
    channel.arm(limit_at);
    if (timer_at_ > limit_at) wait();
}

void ClientConnection::wait() {
    timer_at_ = channel.limit_at();
    timer_.expires_at(std::chrono::steady_clock::time_point(timer_at_.time_since_epoch()));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (error || !self) return;
        self->timer_at_ = TimePoint::max();
        self->channel.expire_if_due(monotonic_now());
        if (self->channel.limit_at() != TimePoint::max()) self->wait();
    });
}

ClientPool::ClientPool(boost::asio::any_io_executor executor, ClientOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {}

ClientConnectionPtr ClientPool::take(const std::string& address) {
    drop_expired(monotonic_now());
    const auto found = idle_.find(address);
    if (found == idle_.end()) return nullptr;
    while (!found->second.empty()) {
        auto connection = std::move(found->second.back());
        found->second.pop_back();
        if (!looks_alive(connection->channel)) continue;
        connection->reused = true;
        return connection;
    }
    return nullptr;
}

void ClientPool::give(ClientConnectionPtr connection) {
    connection->channel.disarm();
    if (closed_ || !connection->channel.unread().empty()) return;
    auto& idle = idle_[connection->address];
    if (idle.size() >= options_.idle_per_address_max) return;
    connection->idle_since = monotonic_now();
    idle.push_back(std::move(connection));
}

void ClientPool::close() {
    closed_ = true;
    idle_.clear();
}

void ClientPool::drop_expired(TimePoint now) {
    if (now < dropped_at_ + std::chrono::seconds(1)) return;
    dropped_at_ = now;
    const auto oldest = now - options_.idle_timeout;
    for (auto& [address, idle] : idle_)
        std::erase_if(idle, [&](const auto& each) { return each->idle_since < oldest; });
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
}

boost::asio::awaitable<Result<ClientConnectionPtr>> ClientPool::connect(std::string address,
                                                                        TimePoint limit_at) {
    const auto parsed = parse_address(address);
    if (!parsed) co_return parsed.error();
    StreamEndpoint endpoint;
    if (auto done = to_endpoint(*parsed, endpoint); !done) co_return done.error();
    StreamSocket socket(executor_);
    boost::system::error_code error;
    socket.open(endpoint.protocol(), error);
    if (error)
        co_return make_error(Errc::unreachable,
                             "no socket for " + address + ": " + error.message());
    auto connection = std::make_shared<ClientConnection>(std::move(socket), address);
    connection->arm(limit_at);
    error = co_await connection->channel.connect(endpoint);
    if (error) {
        const auto why = connection->channel.expired() ? std::string("timed out") : error.message();
        co_return make_error(Errc::unreachable, "no connection to " + address + ": " + why);
    }
    co_return connection;
}

}  // namespace longhaul::net
