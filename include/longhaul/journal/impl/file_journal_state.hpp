// What the units of FileJournal share; nobody else includes it.
#pragma once

#include "longhaul/journal/file_journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace longhaul::journal {

// One batch on its way to the disk. Made on the executor; written there or on a worker, which
// touches nothing but this, the buffer and the disk; its outcome is applied on the executor.
struct FileJournal::Commit {
    BatchHeader header;
    std::uint32_t crc = 0;
    port::File* file = nullptr;
    std::uint64_t offset = 0;

    // Where the batch opens a new segment.
    bool rolls = false;
    bool takes_prepared = false;
    std::unique_ptr<port::File> new_file{};
    Segment new_segment{};
    std::uint64_t new_salt = 0;
};

// Holds `value` in `place` for as long as the scope lasts.
template <class T>
class Held {
public:
    Held(T& place, T value) : place_{place} { place_ = value; }
    ~Held() { place_ = T{}; }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

private:
    T& place_;
};

// A place to wait until somebody calls notify(), or the waiter is cancelled.
class FileJournal::Wakeup {
public:
    explicit Wakeup(boost::asio::any_io_executor executor) : timer_{executor} {
        timer_.expires_at(boost::asio::steady_timer::time_point::max());
    }
    void notify() { timer_.cancel(); }
    boost::asio::awaitable<void> wait() {
        boost::system::error_code ignored;
        co_await timer_.async_wait(
            boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }

private:
    boost::asio::steady_timer timer_;
};

}  // namespace longhaul::journal
