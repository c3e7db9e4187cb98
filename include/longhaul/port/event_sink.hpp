// Port: where lifecycle events go for those who follow longhaul from outside.
#pragma once

#include "longhaul/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace longhaul::port {

struct OutgoingEvent {
    std::string id;       // the same whenever the same event is published again
    std::string subject;  // "longhaul.v1.events.default.report.succeeded"
    std::string order;    // events of the same order key are taken in the order given
    std::string body;     // CloudEvents 1.0, JSON
};

class EventSink {
public:
    virtual ~EventSink() = default;

    // Returns once all are taken, as safely as the sink can. After an error any of them may have
    // been taken, and the caller publishes all of them again. At most one call at a time.
    virtual boost::asio::awaitable<Result<void>> publish(std::vector<OutgoingEvent> events) = 0;
};

}  // namespace longhaul::port
