// The connections of an HttpPeer: one address each, idle ones kept for the next call.
#pragma once

#include "longhaul/net/client.hpp"
#include "longhaul/net/impl/channel.hpp"

#include <boost/asio/steady_timer.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::net {

// The monotonic clock, in the type that Channel speaks.
[[nodiscard]] TimePoint monotonic_now();

// Held by shared_ptr: by its user or the pool, and weakly by its timer's pending wait.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
public:
    ClientConnection(StreamSocket socket, std::string address);

    // From now on, operations end at `limit_at`. The timer is left alone where it is early enough.
    void arm(TimePoint limit_at);

    Channel channel;
    const std::string address;
    bool reused = false;
    TimePoint idle_since{};

private:
    void wait();

    boost::asio::steady_timer timer_;
    TimePoint timer_at_ = TimePoint::max();  // max = no wait is pending
};

using ClientConnectionPtr = std::shared_ptr<ClientConnection>;

// Shared by an HttpPeer and the response bodies that it gave out.
class ClientPool {
public:
    ClientPool(boost::asio::any_io_executor executor, ClientOptions options);

    // An idle connection that looks alive, or nullptr.
    [[nodiscard]] ClientConnectionPtr take(const std::string& address);
    // REQUIRES a connection whose last exchange is complete.
    void give(ClientConnectionPtr connection);
    void close();  // keeps none from now on

    boost::asio::awaitable<Result<ClientConnectionPtr>> connect(std::string address,
                                                                TimePoint limit_at);

    [[nodiscard]] const ClientOptions& options() const { return options_; }

private:
    void drop_expired(TimePoint now);

    boost::asio::any_io_executor executor_;
    const ClientOptions options_;
    std::map<std::string, std::vector<ClientConnectionPtr>> idle_;  // the youngest last
    TimePoint dropped_at_{};
    bool closed_ = false;
};

}  // namespace longhaul::net
