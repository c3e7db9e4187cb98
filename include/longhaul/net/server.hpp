// An HTTP/1.1 server on one address (TCP on loopback or a unix socket): connections, framing guard
// against request smuggling, limits, the dispatcher, and a two-step shutdown.
//
// The dispatcher measures, then gates, then 429, 413, stopping 503, runs the handler, maps errors
// and records, in that order, for every route of every listener. Every error is a problem document,
// also those of the parser; after an error raised before the body was read, the connection closes.
//
// Runs on the executor it is given; all calls from there.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/net/router.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace longhaul::port {
class Clock;
}

namespace longhaul::net {

struct ServerLimits {
    std::uint32_t connections_max = 10'000;
    std::uint32_t requests_max = 10'000;  // handlers at once; above: 429
    std::uint32_t header_bytes_max = 16 * 1024;
    Duration header_timeout = std::chrono::seconds(10);  // first byte to the end of the header
    Duration idle_timeout = std::chrono::seconds(75);    // between requests
    Duration body_timeout = std::chrono::seconds(30);    // of one read of the body
    // Bytes a second, on the average of the time waited for a body once that is longer than
    // body_timeout; 0 = any. A client that sends a byte now and then holds no connection for ever.
    std::uint32_t body_rate_min = 0;
    Duration write_timeout = std::chrono::seconds(30);  // of one write: a slow reader is cut
};

struct ServerOptions {
    std::string address;  // "127.0.0.1:7070" (port 0 picks a free one) | "unix:/path" (mode 0600)
    std::string name;     // for logs and metrics: "public"
    // When not empty, a request without "Authorization: Bearer <secret>" gets 401. Compared in
    // constant time.
    std::string secret{};
    ServerLimits limits{};
    // Trailers of chunked bodies are added to the request's headers once the body was read;
    // otherwise they are refused.
    bool trailers = false;
};

class Server {
public:
    Server(boost::asio::any_io_executor executor, const port::Clock& clock, Logger logger,
           ServerOptions options, std::vector<Route> routes);
    ~Server();  // REQUIRES stopped, or never started
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Binds and accepts. Errc::unavailable names the address and why.
    [[nodiscard]] Result<void> start();

    // "127.0.0.1:45123": with the real port. REQUIRES started.
    [[nodiscard]] const std::string& address() const;

    // From now on new requests get 503 "stopping" (exempt: GET, so that status stays readable until
    // the end) and no connection is kept alive.
    void refuse_new_work();

    // Stops accepting, waits up to `drain` for handlers to end, then cancels what is left and waits
    // for it. Idempotent.
    boost::asio::awaitable<void> stop(Duration drain);

    [[nodiscard]] MetricSamples metrics() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::net
