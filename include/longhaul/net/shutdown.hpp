// Waits for SIGINT and SIGTERM, in coroutine form.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>

namespace longhaul::net {

class StopSignal {
public:
    explicit StopSignal(boost::asio::any_io_executor executor);
    ~StopSignal();

    // The number of the next signal: SIGINT or SIGTERM.
    boost::asio::awaitable<int> next();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longhaul::net
