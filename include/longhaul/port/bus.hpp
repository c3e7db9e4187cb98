// Port: publish and subscribe. May lose, repeat and reorder: look-up is truth, this is speed.
#pragma once

#include "longhaul/base/result.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace longhaul::port {

// Ends the subscription when destroyed; no call of its handler begins afterwards.
class Subscription {
public:
    virtual ~Subscription() = default;
};

class Bus {
public:
    virtual ~Bus() = default;

    // Fire and forget. Errc::unavailable when certainly nobody will get it.
    [[nodiscard]] virtual Result<void> publish(std::string subject, std::string payload) = 0;

    // `pattern` as in NATS: tokens apart by '.', `*` one token, `>` the rest. The handler runs on
    // the subscriber's executor, must not block and must not throw.
    using Handler = std::function<void(std::string_view subject, std::string_view payload)>;
    [[nodiscard]] virtual Result<std::unique_ptr<Subscription>> subscribe(std::string pattern,
                                                                          Handler handler) = 0;
};

}  // namespace longhaul::port
