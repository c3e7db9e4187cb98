// How long a call that lives through an interruption goes on asking: pauses that grow, up to a
// limit on the interruption as a whole. Values; used by one coroutine.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>

namespace longhaul::client {

class Patience {
public:
    explicit Patience(Duration limit) : limit_(limit) {}

    void reset() { *this = Patience(limit_); }

    // The pause before the next try, or nothing when patience is over.
    [[nodiscard]] std::optional<Duration> next();

private:
    Duration limit_;
    std::optional<std::chrono::steady_clock::time_point> since_{};
    Duration next_ = std::chrono::milliseconds(100);
};

// Whether asking again may help: the gateway is away, starting or stopping.
[[nodiscard]] bool is_passing(const Error& error);

boost::asio::awaitable<void> pause(Duration length);

}  // namespace longhaul::client
