#include "runtime_agent_ext/driver/output_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <cerrno>

namespace longhaul::runtime_agent_ext {

namespace asio = boost::asio;

namespace {

// More than a pipe holds (64 KiB unless the function grew it to the 1 MiB that it may): a writer
// that keeps up with us cannot hold us here.
constexpr std::size_t kDrainMax = 1024 * 1024;

}  // namespace

OutputReader::OutputReader(asio::any_io_executor executor, process::UniqueFd pipe, Sink sink)
    : pipe_(std::move(executor), pipe.release()), sink_(std::move(sink)) {
    pipe_.native_non_blocking(true);
}

void OutputReader::drain() {
    for (std::size_t total = 0; pipe_.is_open() && total < kDrainMax;) {
        const ssize_t count = ::read(pipe_.native_handle(), buffer_.data(), buffer_.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        total += static_cast<std::size_t>(count);
        sink_({buffer_.data(), static_cast<std::size_t>(count)});
    }
}

void OutputReader::close() {
    boost::system::error_code ignored;
    pipe_.close(ignored);
    sink_ = nullptr;
}

asio::awaitable<void> OutputReader::run(std::shared_ptr<OutputReader> self) {
    while (self->pipe_.is_open()) {
        // Waits first and reads then, so that drain() never races with a read that is on.
        boost::system::error_code error;
        co_await self->pipe_.async_wait(asio::posix::stream_descriptor::wait_read,
                                        asio::redirect_error(asio::use_awaitable, error));
        if (error || !self->pipe_.is_open()) co_return;
        const ssize_t count =
            ::read(self->pipe_.native_handle(), self->buffer_.data(), self->buffer_.size());
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (count <= 0) co_return;
        self->sink_({self->buffer_.data(), static_cast<std::size_t>(count)});
    }
}

}  // namespace longhaul::runtime_agent_ext
