// A file, or a range of it, or a file that still grows, as the body of an answer.
//
// Reads happen on Workers in chunks; a slow reader of the answer therefore costs one chunk.
#pragma once

#include "host_agent/store/file_watch.hpp"
#include "longhaul/port/clock.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/port/workers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace longhaul::host_agent {

// `length` bytes from `offset`. REQUIRES the file to have them and to stay as it is.
class FileSource final : public port::ByteSource {
public:
    FileSource(port::Workers& workers, std::unique_ptr<port::File> file, std::uint64_t offset,
               std::uint64_t length);

    boost::asio::awaitable<Result<std::string>> read() override;

private:
    port::Workers& workers_;
    const std::unique_ptr<port::File> file_;
    std::uint64_t offset_;
    std::uint64_t left_;
};

// Everything from `offset` on, as it grows, until the end of the run is known and the file is read
// to its end. The file need not exist yet.
class FollowSource final : public port::ByteSource {
public:
    using IsOver = std::function<bool()>;

    FollowSource(FileWatch& watch, port::Clock& clock, port::Disk& disk, port::Workers& workers,
                 std::string path, std::uint64_t offset, IsOver is_over);

    boost::asio::awaitable<Result<std::string>> read() override;

private:
    port::Clock& clock_;
    port::Disk& disk_;
    port::Workers& workers_;
    const std::string path_;
    const IsOver is_over_;
    FileWatch::Interest interest_;
    std::unique_ptr<port::File> file_;
    std::uint64_t offset_;
};

// Where the last `lines` lines of `file` begin, counting those of `stream` alone (the letter of
// wire/log_line.hpp), or all where it is 0.
[[nodiscard]] Result<std::uint64_t> tail_offset(port::File& file, std::uint64_t lines, char stream);

}  // namespace longhaul::host_agent
