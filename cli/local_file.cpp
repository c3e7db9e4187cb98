#include "cli/local_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace longhaul::cli {
namespace {

Result<std::string> read_stream(std::FILE* file, const std::string& name) {
    std::string content;
    char buffer[64 * 1024];
    while (const auto count = std::fread(buffer, 1, sizeof buffer, file))
        content.append(buffer, count);
    if (std::ferror(file))
        return make_error(Errc::io_failed, "cannot read " + name + ": " + std::strerror(errno));
    return content;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                               &std::fclose);
    if (!file)
        return make_error(Errc::io_failed, "cannot open " + path + ": " + std::strerror(errno));
    return read_stream(file.get(), path);
}

Result<std::string> read_stdin() { return read_stream(stdin, "stdin"); }

}  // namespace longhaul::cli
