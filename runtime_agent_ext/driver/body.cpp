#include "runtime_agent_ext/driver/body.hpp"

#include "runtime_agent_ext/driver/files.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace longhaul::runtime_agent_ext {
namespace {

constexpr std::size_t kChunk = 64 * 1024;  // bytes

class FileSource final : public port::ByteSource {
public:
    explicit FileSource(process::UniqueFd file) : file_(std::move(file)) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        std::string chunk(kChunk, '\0');
        const ssize_t count = ::read(file_.get(), chunk.data(), chunk.size());
        if (count < 0) co_return file_error("cannot read", "a body's file");
        chunk.resize(static_cast<std::size_t>(count));
        co_return chunk;
    }

private:
    process::UniqueFd file_;
};

}  // namespace

Body::Body(std::string directory, std::string sha256)
    : directory_(std::move(directory)), sha256_(std::move(sha256)) {
    if (!sha256_.empty()) digest_.emplace();
}

Result<void> Body::finish(std::uint64_t announced_size) {
    if (size_ != announced_size)
        return make_error(Errc::invalid_argument,
                          "the body has " + std::to_string(size_) + " bytes, " +
                              std::to_string(announced_size) + " were announced",
                          "short-body");
    if (digest_ && digest_->finish_hex() != sha256_)
        return make_error(Errc::invalid_argument,
                          "the body does not have the SHA-256 that was announced",
                          "digest-mismatch");
    digest_.reset();
    return {};
}

Result<void> Body::append(std::string_view bytes) {
    if (digest_) digest_->update(bytes);
    if (!file_ && bytes_.size() + bytes.size() > kMemoryMax) {
        if (auto done = spill(); !done) return done;
    }
    size_ += bytes.size();
    if (file_) return write_all(file_.get(), bytes, "the body's file in " + directory_);
    bytes_ += bytes;
    return {};
}

Result<process::UniqueFd> Body::open() const {
    if (size_ == 0) return process::UniqueFd();
    if (file_) {
        ::lseek(file_.get(), 0, SEEK_SET);
        process::UniqueFd copy(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) return file_error("cannot duplicate the body's file in", directory_);
        return copy;
    }
    process::UniqueFd memory(::memfd_create("longhaul-body", MFD_CLOEXEC));
    if (!memory) return file_error("cannot make", "a memory file");
    if (auto done = write_all(memory.get(), bytes_, "a memory file"); !done) return done.error();
    ::lseek(memory.get(), 0, SEEK_SET);
    return memory;
}

Result<std::unique_ptr<port::ByteSource>> Body::stream() const {
    auto file = open();
    if (!file) return file.error();
    return std::unique_ptr<port::ByteSource>(std::make_unique<FileSource>(std::move(*file)));
}

Result<void> Body::spill() {
    std::string path = directory_ + "/body.XXXXXX";
    file_.reset(::mkostemp(path.data(), O_CLOEXEC));
    if (!file_) return file_error("cannot make", path);
    ::unlink(path.c_str());
    auto done = write_all(file_.get(), bytes_, path);
    bytes_ = std::string();
    return done;
}

}  // namespace longhaul::runtime_agent_ext
