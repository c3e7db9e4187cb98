#include "runtime_agent_ext/driver/files.hpp"

#include "longhaul/process/unique_fd.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace longhaul::runtime_agent_ext {

Error file_error(std::string_view what, const std::string& path) {
    return make_error(Errc::io_failed,
                      std::string(what) + " " + path + ": " + std::strerror(errno));
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error("cannot write", path);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> write_file(const std::string& path, std::string_view bytes, unsigned mode) {
    const process::UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file) return file_error("cannot open", path);
    return write_all(file.get(), bytes, path);
}

}  // namespace longhaul::runtime_agent_ext
