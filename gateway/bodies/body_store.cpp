#include "gateway/bodies/body_store.hpp"

#include "gateway/bodies/body_writer.hpp"
#include "longhaul/base/assert.hpp"

#include <algorithm>
#include <span>

namespace longhaul::gateway {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kNameChars = 32;

// As BodyWriter names them; anything else in the folder is not ours to touch.
bool is_body_name(const std::string& name) {
    return name.size() == kNameChars &&
           name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Error too_large(std::uint64_t bytes_max) {
    return make_error(Errc::too_large,
                      "the body is larger than " + std::to_string(bytes_max) + " bytes");
}

// A content that is in memory, in one piece.
class InlineSource final : public port::ByteSource {
public:
    explicit InlineSource(std::string bytes) : bytes_(std::move(bytes)) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        co_return std::exchange(bytes_, std::string{});
    }

private:
    std::string bytes_;
};

class FileSource final : public port::ByteSource {
public:
    FileSource(std::unique_ptr<port::File> file, port::Workers& workers, std::string name,
               std::uint64_t offset, std::uint64_t length)
        : file_(std::move(file)),
          workers_(workers),
          name_(std::move(name)),
          offset_(offset),
          left_(length) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        if (left_ == 0) co_return std::string{};
        Result<std::string> chunk;
        std::function<void()> job = [this, &chunk] { chunk = read_chunk(); };
        co_await workers_.run(std::move(job));
        co_return chunk;
    }

private:
    Result<std::string> read_chunk() {
        std::string bytes(std::min<std::uint64_t>(left_, kReadBytes), '\0');
        const Result<std::size_t> count =
            file_->read_at(offset_, std::as_writable_bytes(std::span<char>{bytes}));
        if (!count) return count.error();
        if (*count < bytes.size())
            return make_error(Errc::corrupt, "body file " + name_ + " ends at byte " +
                                                 std::to_string(offset_ + *count) +
                                                 ", before its recorded size");
        offset_ += *count;
        left_ -= *count;
        return bytes;
    }

    const std::unique_ptr<port::File> file_;
    port::Workers& workers_;
    const std::string name_;
    std::uint64_t offset_;
    std::uint64_t left_;
};

Result<void> make_folder(port::Disk& disk, const std::string& folder) {
    if (auto done = disk.make_dir(folder); !done) return done;
    const std::size_t slash = folder.find_last_of('/');
    if (slash == std::string::npos) return disk.sync_dir(".");
    return disk.sync_dir(slash == 0 ? "/" : folder.substr(0, slash));
}

Result<void> remove_unknown(port::Disk& disk, const std::string& folder,
                            const std::unordered_set<std::string>& known) {
    const Result<std::vector<std::string>> names = disk.list(folder);
    if (!names) return names.error();
    for (const std::string& name : *names) {
        if (!is_body_name(name) || known.contains(name)) continue;
        if (auto done = disk.remove(folder + "/" + name); !done) return done;
    }
    return {};
}

}  // namespace

BodyStore::BodyStore(std::string folder, port::Disk& disk, port::Workers& workers,
                     port::Random& random, BodyLimits limits)
    : folder_(std::move(folder)),
      disk_(disk),
      workers_(workers),
      random_(random),
      limits_(limits) {}

boost::asio::awaitable<Result<void>> BodyStore::open(std::unordered_set<std::string> known) {
    Result<void> outcome;
    std::function<void()> job = [this, &known, &outcome] {
        outcome = make_folder(disk_, folder_);
        if (outcome) outcome = remove_unknown(disk_, folder_, known);
    };
    co_await workers_.run(std::move(job));
    co_return outcome;
}

boost::asio::awaitable<Result<Content>> BodyStore::store(
    port::ByteSource& source, std::uint64_t bytes_max, std::string content_type,
    std::optional<std::uint64_t> expected_bytes) {
    if (expected_bytes && *expected_bytes > bytes_max) co_return too_large(bytes_max);
    BodyWriter writer{folder_, disk_, workers_, random_, limits_};
    while (true) {
        Result<std::string> chunk = co_await source.read();
        if (!chunk) co_return chunk.error();
        if (chunk->empty()) break;
        if (chunk->size() > bytes_max - writer.size()) co_return too_large(bytes_max);
        const Result<void> added = co_await writer.add(std::move(*chunk));
        if (!added) co_return added.error();
    }
    if (expected_bytes && writer.size() != *expected_bytes)
        co_return make_error(Errc::invalid_argument,
                             "the body stopped after " + std::to_string(writer.size()) + " of " +
                                 std::to_string(*expected_bytes) + " bytes");
    co_return co_await writer.finish(std::move(content_type));
}

boost::asio::awaitable<Result<std::unique_ptr<port::ByteSource>>> BodyStore::read(
    Content content, std::uint64_t offset, std::uint64_t length) {
    using Source = std::unique_ptr<port::ByteSource>;
    LH_ASSERT(offset <= content.size);
    LH_ASSERT(length <= content.size - offset);
    if (content.file.empty()) {
        if (content.inline_bytes.size() != content.size)
            co_return make_error(Errc::corrupt, "an inline body differs from its recorded size");
        Source source = std::make_unique<InlineSource>(content.inline_bytes.substr(offset, length));
        co_return Result<Source>{std::move(source)};
    }
    if (!is_body_name(content.file))
        co_return make_error(
            Errc::corrupt, "a record names \"" + content.file + "\", which is no body file's name");
    Result<std::unique_ptr<port::File>> file;
    std::function<void()> job = [this, &content, &file] {
        file = disk_.open(folder_ + "/" + content.file, port::OpenMode::read);
    };
    co_await workers_.run(std::move(job));
    if (!file) co_return file.error();
    Source source =
        std::make_unique<FileSource>(std::move(*file), workers_, content.file, offset, length);
    co_return Result<Source>{std::move(source)};
}

boost::asio::awaitable<void> BodyStore::remove(std::string file) {
    if (!is_body_name(file)) co_return;
    std::function<void()> job = [this, &file] {
        // The next start repeats it.
        static_cast<void>(disk_.remove(folder_ + "/" + file));
    };
    co_await workers_.run(std::move(job));
}

}  // namespace longhaul::gateway
