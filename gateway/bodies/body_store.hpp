// Bodies and results that are too large for a record: one file each, synced (file and folder)
// before any record names it.
//
// Files that no record names (a crash between file and record) are removed at start. Blocking work
// runs on Workers; single executor otherwise.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/lifecycle/invocation.hpp"
#include "longhaul/port/disk.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/port/random.hpp"
#include "longhaul/port/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

namespace longhaul::gateway {

struct BodyLimits {
    std::uint64_t inline_max = 32 * 1024;     // bytes; a larger body is a file
    std::uint64_t reserve_bytes = 64u << 20;  // free space below which new files are refused
};

class BodyStore {
public:
    BodyStore(std::string folder, port::Disk& disk, port::Workers& workers, port::Random& random,
              BodyLimits limits);

    // Creates the folder and removes every file that `known` does not name.
    boost::asio::awaitable<Result<void>> open(std::unordered_set<std::string> known);

    // Reads `source` to its end, at most `bytes_max` (Errc::too_large names it): inline up to
    // inline_max, else a synced file. Size and sha256 are set. A failure leaves nothing behind.
    // `expected_bytes`: a source that ends before it is Errc::invalid_argument ("stopped after …").
    boost::asio::awaitable<Result<Content>> store(port::ByteSource& source, std::uint64_t bytes_max,
                                                  std::string content_type,
                                                  std::optional<std::uint64_t> expected_bytes);

    // The bytes of [offset, offset+length) as a stream. Errc::not_found if its file is missing.
    // REQUIRES the range to lie within the content.
    boost::asio::awaitable<Result<std::unique_ptr<port::ByteSource>>> read(Content content,
                                                                           std::uint64_t offset,
                                                                           std::uint64_t length);

    // Where the bytes of a content that is a file lie. REQUIRES content.file.
    [[nodiscard]] std::string path_of(const Content& content) const {
        return folder_ + "/" + content.file;
    }

    // Removes a file that no record names; errors are ignored (the next start repeats it).
    boost::asio::awaitable<void> remove(std::string file);

private:
    const std::string folder_;
    port::Disk& disk_;
    port::Workers& workers_;
    port::Random& random_;
    const BodyLimits limits_;
};

}  // namespace longhaul::gateway
