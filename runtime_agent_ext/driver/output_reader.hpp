// Reads one pipe from a function until it closes or nobody cares any more.
//
// The end of a function is decided by its process, never by the end of its pipes: drain() takes
// what is there at that moment, close() lets the rest go.
#pragma once

#include "longhaul/process/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string_view>

namespace longhaul::runtime_agent_ext {

class OutputReader {
public:
    // The bytes live during the call alone.
    using Sink = std::function<void(std::string_view bytes)>;

    OutputReader(boost::asio::any_io_executor executor, process::UniqueFd pipe, Sink sink);

    void drain();
    void close();

    // Until the pipe's end or close(). `self` keeps it alive: the owner may drop it before the
    // pending read has returned.
    static boost::asio::awaitable<void> run(std::shared_ptr<OutputReader> self);

private:
    boost::asio::posix::stream_descriptor pipe_;
    Sink sink_;
    std::array<char, 16 * 1024> buffer_{};
};

}  // namespace longhaul::runtime_agent_ext
