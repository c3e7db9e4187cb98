// One runtime agent: its listeners around one Agent, from start to exit.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/port/clock.hpp"
#include "runtime_agent_ext/config.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace longhaul::runtime_agent_ext {

// Returns when the agent has ended: destroyed, drained (SIGTERM or by its host agent), forgotten.
boost::asio::awaitable<Result<void>> run_app(boost::asio::any_io_executor executor,
                                             port::Clock& clock, const Logger& logger,
                                             const Config& config);

}  // namespace longhaul::runtime_agent_ext
