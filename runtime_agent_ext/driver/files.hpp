// Small file operations of the runtime agent, with errors that name the file.
#pragma once

#include "longhaul/base/result.hpp"

#include <string>
#include <string_view>

namespace longhaul::runtime_agent_ext {

[[nodiscard]] Error file_error(std::string_view what, const std::string& path);  // from errno
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes, const std::string& path);
// Replaces `path`.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view bytes,
                                      unsigned mode);

}  // namespace longhaul::runtime_agent_ext
