#include "runtime_agent_ext/driver/result_writer.hpp"

#include "longhaul/wire/log_line.hpp"
#include "runtime_agent_ext/driver/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>

namespace longhaul::runtime_agent_ext {
namespace {

Error too_large(std::uint64_t bytes_max) {
    return make_error(Errc::too_large,
                      "the result is larger than " + std::to_string(bytes_max) + " bytes",
                      "result-too-large");
}

}  // namespace

ResultWriter::ResultWriter(std::string store_directory, const wire::AttemptKey& key,
                           std::uint64_t bytes_max)
    : path_(store_directory + "/" + wire::result_file_name(key)),
      name_(wire::result_file_name(key)),
      bytes_max_(bytes_max) {}

ResultWriter::~ResultWriter() {
    if (file_) ::unlink((path_ + ".part").c_str());
}

void ResultWriter::write(std::string_view bytes) {
    size_ += bytes.size();
    if (is_too_large() || error_) return;
    if (!file_ && small_.size() + bytes.size() > kInlineResultMax) spill();
    if (!file_) {
        small_ += bytes;
        return;
    }
    if (auto done = write_all(file_.get(), bytes, path_); !done) error_ = done.error();
    digest_->update(bytes);
}

Result<Content> ResultWriter::finish(std::string content_type) {
    if (is_too_large()) return too_large(bytes_max_);
    Content content;
    content.content_type = std::move(content_type);
    content.size = size_;
    if (!file_ && !error_) {
        content.inline_bytes = std::move(small_);
        return content;
    }
    if (error_) return *error_;
    file_.reset();
    if (::rename((path_ + ".part").c_str(), path_.c_str()) != 0)
        return file_error("cannot rename", path_ + ".part");
    content.file = name_;
    content.sha256 = digest_->finish_hex();
    return content;
}

void ResultWriter::spill() {
    const std::string part = path_ + ".part";
    file_.reset(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!file_) {
        error_ = file_error("cannot open", part);
        return;
    }
    digest_.emplace();
    if (auto done = write_all(file_.get(), small_, part); !done) error_ = done.error();
    digest_->update(small_);
    small_ = std::string();
}

Result<Content> adopt_result_file(const std::string& path, const std::string& store_directory,
                                  const wire::AttemptKey& key, std::uint64_t bytes_max) {
    // The function could have put anything there: no link is followed, nothing is waited for.
    const process::UniqueFd file(
        ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno == ENOENT)
        return make_error(Errc::not_found, "the function left no result file");
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return file_error("cannot open", path);
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
        return make_error(Errc::refused, "the result is no plain file of the function's own");
    if (static_cast<std::uint64_t>(status.st_size) > bytes_max) return too_large(bytes_max);

    ResultWriter writer(store_directory, key, bytes_max);
    std::array<char, 64 * 1024> buffer{};
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
        if (count < 0) return file_error("cannot read", path);
        if (count == 0) break;
        writer.write({buffer.data(), static_cast<std::size_t>(count)});
    }
    ::unlink(path.c_str());
    return writer.finish("");
}

}  // namespace longhaul::runtime_agent_ext
