// What a server's connections share: its options, routes, counters, and whether it is stopping.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/base/metrics.hpp"
#include "longhaul/net/impl/http_text.hpp"
#include "longhaul/net/server.hpp"
#include "longhaul/port/clock.hpp"

#include <array>
#include <vector>

namespace longhaul::net {

struct RouteCounters {
    std::array<std::uint64_t, 6> by_class{};  // [2] counts 2xx
    Histogram seconds{};
};

struct ServerState {
    ServerState(const port::Clock& clock_arg, Logger logger_arg, ServerOptions options_arg,
                std::vector<Route> routes)
        : clock(clock_arg),
          logger(std::move(logger_arg)),
          options(std::move(options_arg)),
          router(std::move(routes)),
          counters(router.routes().size()) {}

    // Constant after construction.
    const port::Clock& clock;
    const Logger logger;
    const ServerOptions options;
    const Router router;

    bool refusing = false;      // new work is refused, no connection is kept
    bool stopping = false;      // and idle connections close
    std::uint32_t running = 0;  // handlers, and responses that stream
    DateLine date{};

    std::vector<RouteCounters> counters;  // as router.routes()
    std::uint64_t unrouted = 0;           // 404, 405
    std::uint64_t malformed = 0;          // refused by guard or parser
    std::uint64_t accepted = 0;           // connections
    std::uint64_t turned_away = 0;        // connections above the limit
    std::uint64_t clients_left = 0;       // while their handler ran
};

}  // namespace longhaul::net
