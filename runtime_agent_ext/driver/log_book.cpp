#include "runtime_agent_ext/driver/log_book.hpp"

#include "runtime_agent_ext/driver/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace longhaul::runtime_agent_ext {
namespace {

constexpr std::size_t kFlushAt = 256 * 1024;  // bytes

}  // namespace

LogBook::LogBook(const port::Clock& clock, const std::string& directory, const std::string& name,
                 std::uint64_t bytes_max)
    : clock_(clock), path_(directory + "/" + name), bytes_max_(bytes_max) {}

void LogBook::write(wire::LogStream stream, wire::LogFlag flag, std::string_view text) {
    if (!opened_) open_file();
    if (full_) return;
    const std::size_t before = pending_.size();
    wire::append_log_line(pending_, {to_unix_ms(clock_.now()), stream, flag, text});
    if (bytes_ + pending_.size() > bytes_max_) {
        pending_.resize(before);
        mark_full();
        return;
    }
    if (pending_.size() >= kFlushAt) flush();
}

void LogBook::flush() {
    if (pending_.empty()) return;
    if (file_ && !write_all(file_.get(), pending_, path_)) full_ = true;
    bytes_ += pending_.size();
    pending_.clear();
}

// Appends: the same attempt's earlier lines, of its load, stay.
void LogBook::open_file() {
    opened_ = true;
    file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    struct stat status {};
    if (file_ && ::fstat(file_.get(), &status) == 0)
        bytes_ = static_cast<std::uint64_t>(status.st_size);
    full_ = !file_ || bytes_ >= bytes_max_;
}

void LogBook::mark_full() {
    wire::append_log_line(
        pending_, {to_unix_ms(clock_.now()), wire::LogStream::system, wire::LogFlag::dropped,
                   "the log's limit of " + std::to_string(bytes_max_) +
                       " bytes is reached: further lines are dropped"});
    flush();
    full_ = true;
}

}  // namespace longhaul::runtime_agent_ext
