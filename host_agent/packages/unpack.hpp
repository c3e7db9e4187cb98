// Unpacks a code package (tar, tar.gz, tar.zst, zip) that a stranger wrote.
//
// Blocks; for Workers. Refused, with the entry's name: absolute paths, "..", devices, fifos, links
// that leave the folder, anything through a link, more entries or bytes than the limits, names that
// are too long. Owners and set-id bits are never taken over; files are readable by all, writable by
// nobody but us. What was unpacked before a refusal stays behind for the caller to remove.
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>
#include <string>

namespace longhaul::host_agent {

struct UnpackLimits {
    std::uint64_t bytes_max = 1ull << 30;  // of all files together, unpacked
    std::uint32_t entries_max = 100'000;
    std::uint32_t path_bytes_max = 1024;
};

struct Unpacked {
    std::uint64_t bytes = 0;
    std::uint32_t entries = 0;
};

// REQUIRES: `folder` exists and is empty. Errc::invalid_argument: the package is bad (the message
// names the entry); Errc::too_large names the limit; Errc::io_failed.
[[nodiscard]] Result<Unpacked> unpack_package(const std::string& file, const std::string& folder,
                                              const UnpackLimits& limits);

}  // namespace longhaul::host_agent
