// The connection to the host agent: this instance's full state after each connect and at each
// change, for ever, whatever becomes of the host agent.
//
// One keep-alive connection that it watches while it is silent, so that a new host agent is noticed
// at once and nothing needs to be polled. That is why it is no net::HttpPeer: a pool hides exactly
// this. Runs on the agent's executor.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/wire/host_messages.hpp"
#include "runtime_agent_ext/config.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace longhaul::runtime_agent_ext {

class HostLink {
public:
    struct Events {
        std::function<std::string()> snapshot;  // an InstanceStatus as JSON
        std::function<void(const wire::InstanceStatusAnswer&)> answered;
    };

    HostLink(boost::asio::any_io_executor executor, port::Clock& clock, const Logger& logger,
             const Config& config, Events events);

    // Until cancelled.
    boost::asio::awaitable<void> run();

    void report_now();
    void report_soon();  // within Config::coalesce

    // Nothing is waiting to be reported and the last report was answered.
    [[nodiscard]] bool is_settled() const { return connected_ && !dirty_ && !sending_; }
    // Of the last answer; of construction where there was none.
    [[nodiscard]] TimePoint last_contact() const { return last_contact_; }

private:
    struct Connection;

    boost::asio::awaitable<void> serve_connection();
    boost::asio::awaitable<Result<bool>> connect(Connection& connection);
    boost::asio::awaitable<Result<bool>> exchange(Connection& connection, std::string request);
    boost::asio::awaitable<bool> wait_for_news(Connection& connection);
    [[nodiscard]] std::string request_text() const;
    [[nodiscard]] Duration next_pause();

    // Constant after construction.
    const boost::asio::any_io_executor executor_;
    port::Clock& clock_;
    const Logger& logger_;
    const Config& config_;
    const Events events_;

    boost::asio::steady_timer wake_;
    bool dirty_ = true;
    std::optional<TimePoint> soon_;
    bool connected_ = false;
    bool sending_ = false;
    Duration pause_;
    TimePoint last_contact_;
};

}  // namespace longhaul::runtime_agent_ext
