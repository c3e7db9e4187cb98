// The life of a server program on one event loop: start, say that it is ready, wait for SIGTERM or
// Ctrl-C, refuse what is new, stop.
//
// Readiness is told in three ways: a line on stdout, the ready file (JSON: program, pid, version,
// an address per listener), and to systemd. Its watchdog is fed from the event loop, so that a
// loop that is stuck is noticed.
#pragma once

#include "longhaul/program/start.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <utility>
#include <vector>

namespace longhaul::net {
class StopSignal;
}
namespace longhaul::port {
class Clock;
}

namespace longhaul::program {

// A component with what only its program gives it (a bus, ports).
class Service {
public:
    // {"public", "127.0.0.1:7070"}, …: in the ready file as they are.
    using Facts = std::vector<std::pair<std::string, std::string>>;

    virtual ~Service() = default;
    // Where it does not start, stop() follows all the same.
    virtual boost::asio::awaitable<Result<Facts>> start() = 0;
    virtual void refuse_new_work() {}
    // Between refusing and stopping: what it still waits for, until `again` brings another signal.
    virtual boost::asio::awaitable<void> leave(net::StopSignal&) { co_return; }
    virtual boost::asio::awaitable<void> stop() = 0;
};

// Returns the exit code: 0, or 1 where it could not start. `ready_file` may be "".
[[nodiscard]] int run(boost::asio::io_context& io, port::Clock& clock, const Logger& logger,
                      const std::string& name, const std::string& ready_file, Service& service);

// For the journal's failure: what was written is unknown, so nothing more is promised.
[[noreturn]] void storage_failed(const std::string& name, const Error& error);

}  // namespace longhaul::program
