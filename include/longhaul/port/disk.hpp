// Port: files. Blocking calls: whoever must not block calls them on Workers.
//
// Every failure is Errc::io_failed with the errno's name, the call and the path in the message, but
// a missing file is Errc::not_found, and no space is Errc::overloaded with the type "disk-full".
// Nothing here retries a failed sync (I12).
#pragma once

#include "longhaul/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace longhaul::port {

enum class OpenMode : std::uint8_t {
    read,        // must exist
    write,       // read and write; created if missing
    create_new,  // read and write; Errc::conflict if it exists
};

class File {
public:
    virtual ~File() = default;

    // Bytes read; fewer than asked only at the end of the file.
    [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset,
                                                      std::span<std::byte> into) = 0;
    // All of `bytes`, or an error; then what lies there is undefined.
    [[nodiscard]] virtual Result<void> write_at(std::uint64_t offset,
                                                std::span<const std::byte> bytes) = 0;
    // fdatasync(2).
    [[nodiscard]] virtual Result<void> sync() = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
    [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
    // An exclusive lock for this process, kept until the File is destroyed. Errc::conflict when
    // somebody else holds it.
    [[nodiscard]] virtual Result<void> lock() = 0;
};

class Disk {
public:
    virtual ~Disk() = default;

    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                                             OpenMode mode) = 0;
    // Atomic; replaces `to`. Durable only after sync_dir() of the parent.
    [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    // A file or an empty folder. Errc::not_found if it is not there.
    [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
    // Names, sorted, without "." and "..".
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
    // With parents; no error if it exists. Mode 0700.
    [[nodiscard]] virtual Result<void> make_dir(const std::string& folder) = 0;
    [[nodiscard]] virtual Result<void> sync_dir(const std::string& folder) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& folder) = 0;
};

}  // namespace longhaul::port
