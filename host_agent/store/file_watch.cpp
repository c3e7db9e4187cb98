#include "host_agent/store/file_watch.hpp"

#include "longhaul/base/assert.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;

FileWatch::FileWatch(asio::any_io_executor executor, Logger logger, std::string folder)
    : executor_(executor),
      logger_(std::move(logger)),
      folder_(std::move(folder)),
      tasks_(executor, logger_) {}

FileWatch::~FileWatch() { LH_ASSERT(interests_.empty()); }

void FileWatch::begin() {
    if (tasks_.cancelled()) return;
    if (!inotify_) {
        const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (descriptor < 0) {
            logger_.warning("inotify_unavailable", {{"reason", std::strerror(errno)}});
            return;
        }
        inotify_.emplace(executor_, descriptor);
        tasks_.start("file_watch", pump());
    }
    folder_watch_ = ::inotify_add_watch(inotify_->native_handle(), folder_.c_str(),
                                        IN_MODIFY | IN_CREATE | IN_MOVED_TO);
}

void FileWatch::end() {
    if (inotify_ && folder_watch_ >= 0)
        ::inotify_rm_watch(inotify_->native_handle(), folder_watch_);
    folder_watch_ = -1;
}

asio::awaitable<void> FileWatch::pump() {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
    while (!tasks_.cancelled()) {
        boost::system::error_code error;
        const std::size_t size = co_await inotify_->async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return;
        dispatch(buffer.data(), size);
    }
}

void FileWatch::dispatch(const char* events, std::size_t size) {
    std::string_view last;  // writes come in rows: one wake-up serves them all
    while (size >= sizeof(inotify_event)) {
        inotify_event head{};
        std::memcpy(&head, events, sizeof head);
        const std::size_t whole = sizeof head + head.len;
        if (whole > size) return;
        const std::string_view name = head.len > 0 ? events + sizeof head : "";
        if (name != last) poke(name);
        last = name;
        events += whole;
        size -= whole;
    }
}

void FileWatch::poke(std::string_view file_name) {
    const auto [first, last] = interests_.equal_range(file_name);
    for (auto place = first; place != last; ++place) {
        ++place->second->generation_;
        place->second->news_.notify_all();
    }
}

asio::awaitable<void> FileWatch::stop() {
    tasks_.cancel();
    if (inotify_) {
        boost::system::error_code ignored;
        inotify_->close(ignored);
    }
    folder_watch_ = -1;
    for (auto& [name, interest] : interests_) {
        ++interest->generation_;
        interest->news_.notify_all();
    }
    co_await tasks_.join();
    inotify_.reset();
}

FileWatch::Interest::Interest(FileWatch& watch, std::string file_name)
    : watch_(watch), file_name_(std::move(file_name)), news_(watch.executor_) {
    if (watch_.interests_.empty()) watch_.begin();
    place_ = watch_.interests_.emplace(file_name_, this);
}

FileWatch::Interest::~Interest() {
    watch_.interests_.erase(place_);
    if (watch_.interests_.empty()) watch_.end();
}

asio::awaitable<void> FileWatch::Interest::wait_beyond(std::uint64_t generation, port::Clock& clock,
                                                       TimePoint until) {
    if (generation_ == generation) (void)co_await news_.wait_until(clock, until);
}

}  // namespace longhaul::host_agent
