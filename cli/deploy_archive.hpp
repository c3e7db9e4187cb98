// A folder as a package: a tar.zst whose bytes depend on the files' names, contents and executable
// bits alone, so that the same code has the same digest on every machine.
//
// Left out: function.toml (it is the document, not the code), .git, __pycache__, *.pyc,
// node_modules/.cache, .longhaulignore itself and what that lists (a shell pattern a line, matched
// against the path from the folder and against the bare name; a final slash: folders only).
#pragma once

#include "longhaul/base/result.hpp"

#include <cstdint>
#include <string>

namespace longhaul::cli {

struct Archive {
    std::string bytes;
    std::size_t files = 0;
    std::uint64_t content_bytes = 0;  // before compression
};

// Errc::invalid_argument for a symlink that leads out, or a file that is none (socket, device);
// Errc::io_failed for what cannot be read.
[[nodiscard]] Result<Archive> pack_folder(const std::string& folder);

}  // namespace longhaul::cli
