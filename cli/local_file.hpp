// Files and stdin of the person at the command line, read whole.
#pragma once

#include "longhaul/base/result.hpp"

#include <string>

namespace longhaul::cli {

// Errc::io_failed names the file and why.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
[[nodiscard]] Result<std::string> read_stdin();

}  // namespace longhaul::cli
