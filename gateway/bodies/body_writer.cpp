#include "gateway/bodies/body_writer.hpp"

#include "longhaul/base/assert.hpp"

#include <span>

namespace longhaul::gateway {
namespace {

// So much is gathered before a job writes it.
constexpr std::size_t kWriteBytes = 256 * 1024;

}  // namespace

BodyWriter::BodyWriter(const std::string& folder, port::Disk& disk, port::Workers& workers,
                       port::Random& random, const BodyLimits& limits)
    : folder_(folder),
      disk_(disk),
      workers_(workers),
      limits_(limits),
      name_(hex(random.next(), random.next())) {}

BodyWriter::~BodyWriter() {
    if (!created_ || kept_) return;
    file_.reset();
    // Whatever stays is no record's, and the next start removes it.
    static_cast<void>(disk_.remove(folder_ + "/" + name_));
}

boost::asio::awaitable<Result<void>> BodyWriter::add(std::string chunk) {
    pending_ += chunk;
    const bool is_file = created_ || size() > limits_.inline_max;
    if (!is_file || pending_.size() < kWriteBytes) co_return Result<void>{};
    co_return co_await run_blocking(&BodyWriter::write_pending);
}

boost::asio::awaitable<Result<Content>> BodyWriter::finish(std::string content_type) {
    Content content;
    content.content_type = std::move(content_type);
    content.size = size();
    if (!created_ && size() <= limits_.inline_max) {
        hash_.update(pending_);
        content.sha256 = hash_.finish_hex();
        content.inline_bytes = std::move(pending_);
        co_return content;
    }
    const Result<void> durable = co_await run_blocking(&BodyWriter::make_durable);
    if (!durable) co_return durable.error();
    kept_ = true;
    content.sha256 = hash_.finish_hex();
    content.file = name_;
    co_return content;
}

Result<void> BodyWriter::write_pending() {
    if (!created_)
        if (auto done = create(); !done) return done;
    const Result<std::uint64_t> free = disk_.free_bytes(folder_);
    if (!free) return free.error();
    if (*free < limits_.reserve_bytes + pending_.size())
        return make_error(Errc::overloaded,
                          "the disk has " + std::to_string(*free) + " bytes left, of which " +
                              std::to_string(limits_.reserve_bytes) + " are kept in reserve",
                          "disk-full");
    hash_.update(pending_);
    const auto bytes = std::as_bytes(std::span<const char>{pending_});
    if (auto done = file_->write_at(written_, bytes); !done) return done;
    written_ += pending_.size();
    pending_.clear();
    return {};
}

Result<void> BodyWriter::create() {
    Result<std::unique_ptr<port::File>> file =
        disk_.open(folder_ + "/" + name_, port::OpenMode::create_new);
    if (!file) return file.error();
    file_ = std::move(*file);
    created_ = true;
    return {};
}

Result<void> BodyWriter::make_durable() {
    if (auto done = write_pending(); !done) return done;
    if (auto done = file_->sync(); !done) return done;
    file_.reset();
    return disk_.sync_dir(folder_);
}

boost::asio::awaitable<Result<void>> BodyWriter::run_blocking(Result<void> (BodyWriter::*job)()) {
    Result<void> outcome;
    std::function<void()> work = [this, job, &outcome] { outcome = (this->*job)(); };
    co_await workers_.run(std::move(work));
    co_return outcome;
}

}  // namespace longhaul::gateway
