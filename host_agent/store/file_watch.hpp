// Tells who follows a log that its file may have grown: inotify on the log folder, only while
// somebody follows.
//
// Runs on one executor. News may be early or repeated, and where inotify is not to be had there is
// none: a follower looks again after its own time limit anyway.
#pragma once

#include "longhaul/base/log.hpp"
#include "longhaul/net/notifier.hpp"
#include "longhaul/net/task_group.hpp"
#include "longhaul/port/clock.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

namespace longhaul::host_agent {

class FileWatch {
public:
    FileWatch(boost::asio::any_io_executor executor, Logger logger, std::string folder);
    ~FileWatch();  // REQUIRES stop() has returned, no Interest is left

    // One follower's interest in one file of the folder; the file need not exist.
    class Interest {
    public:
        Interest(FileWatch& watch, std::string file_name);
        ~Interest();
        Interest(const Interest&) = delete;
        Interest& operator=(const Interest&) = delete;

        // Changes whenever there was news. Read it before looking at the file.
        [[nodiscard]] std::uint64_t generation() const { return generation_; }
        // Until the generation is another, or until `until`.
        boost::asio::awaitable<void> wait_beyond(std::uint64_t generation, port::Clock& clock,
                                                 TimePoint until);

    private:
        friend class FileWatch;
        FileWatch& watch_;
        const std::string file_name_;
        std::uint64_t generation_ = 0;
        net::Notifier news_;
        std::multimap<std::string, Interest*, std::less<>>::iterator place_;
    };

    // Wakes everybody who follows `file_name`: the end of its run is known.
    void poke(std::string_view file_name);
    // Wakes everybody and ends the watching for good.
    boost::asio::awaitable<void> stop();

private:
    void begin();
    void end();
    boost::asio::awaitable<void> pump();
    void dispatch(const char* events, std::size_t size);

    // Constant after construction.
    const boost::asio::any_io_executor executor_;
    const Logger logger_;
    const std::string folder_;

    std::multimap<std::string, Interest*, std::less<>> interests_;
    std::optional<boost::asio::posix::stream_descriptor> inotify_;
    int folder_watch_ = -1;
    net::TaskGroup tasks_;
};

}  // namespace longhaul::host_agent
