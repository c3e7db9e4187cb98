#include "host_agent/store/file_source.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace longhaul::host_agent {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kChunk = 64 * 1024;
constexpr Duration kLookAgain = std::chrono::seconds(1);  // should inotify say nothing

Result<std::string> read_chunk(port::File& file, std::uint64_t offset, std::uint64_t size) {
    std::string bytes(size, '\0');
    auto got = file.read_at(offset, std::as_writable_bytes(std::span(bytes)));
    if (!got) return got.error();
    bytes.resize(*got);
    return bytes;
}

// Enough of a line to tell its stream: "1795435200123 o".
constexpr std::size_t kHeadBytes = 32;

bool is_of(std::string_view line, char stream) {
    if (stream == 0) return true;
    const std::size_t space = line.find(' ');
    return space != std::string_view::npos && space + 1 < line.size() && line[space + 1] == stream;
}

}  // namespace

FileSource::FileSource(port::Workers& workers, std::unique_ptr<port::File> file,
                       std::uint64_t offset, std::uint64_t length)
    : workers_(workers), file_(std::move(file)), offset_(offset), left_(length) {}

asio::awaitable<Result<std::string>> FileSource::read() {
    if (left_ == 0) co_return std::string{};
    Result<std::string> chunk = std::string{};
    std::function<void()> job = [&] {
        chunk = read_chunk(*file_, offset_, std::min(left_, kChunk));
    };
    co_await workers_.run(std::move(job));
    if (!chunk) co_return chunk;
    if (chunk->empty())
        co_return make_error(Errc::io_failed, "the file became shorter while it was read");
    offset_ += chunk->size();
    left_ -= chunk->size();
    co_return chunk;
}

FollowSource::FollowSource(FileWatch& watch, port::Clock& clock, port::Disk& disk,
                           port::Workers& workers, std::string path, std::uint64_t offset,
                           IsOver is_over)
    : clock_(clock),
      disk_(disk),
      workers_(workers),
      path_(std::move(path)),
      is_over_(std::move(is_over)),
      interest_(watch, path_.substr(path_.rfind('/') + 1)),
      offset_(offset) {}

asio::awaitable<Result<std::string>> FollowSource::read() {
    while (true) {
        // Both are read before the file: what happens after that is seen in the next turn.
        const std::uint64_t generation = interest_.generation();
        const bool over = is_over_();
        Result<std::string> chunk = std::string{};
        std::function<void()> job = [&] {
            if (!file_) {
                auto opened = disk_.open(path_, port::OpenMode::read);
                if (opened) file_ = std::move(*opened);
                if (!opened && opened.error().code != Errc::not_found) chunk = opened.error();
            }
            if (file_) chunk = read_chunk(*file_, offset_, kChunk);
        };
        co_await workers_.run(std::move(job));
        if (!chunk) co_return chunk;
        offset_ += chunk->size();
        if (!chunk->empty() || over) co_return chunk;
        co_await interest_.wait_beyond(generation, clock_, clock_.now() + kLookAgain);
        const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
        if (cancelled != asio::cancellation_type::none)
            co_return make_error(Errc::cancelled, "the reader left");
    }
}

Result<std::uint64_t> tail_offset(port::File& file, std::uint64_t lines, char stream) {
    auto size = file.size();
    if (!size) return size.error();
    std::uint64_t end = *size;
    std::uint64_t found = 0;
    std::string after;  // the first bytes of the line that begins where the chunk ends
    while (end > 0) {
        const std::uint64_t begin = end > kChunk ? end - kChunk : 0;
        auto chunk = read_chunk(file, begin, end - begin);
        if (!chunk) return chunk.error();
        const std::string seen = *chunk + after;
        for (std::size_t at = chunk->size(); at-- > 0;) {
            const bool last_of_file = begin + at + 1 == *size;
            if (seen[at] != '\n' || last_of_file) continue;
            if (is_of(std::string_view(seen).substr(at + 1), stream) && ++found >= lines)
                return begin + at + 1;
        }
        after = seen.substr(0, kHeadBytes);
        end = begin;
    }
    return std::uint64_t{0};
}

}  // namespace longhaul::host_agent
