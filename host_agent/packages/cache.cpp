#include "host_agent/packages/cache.hpp"

#include "longhaul/base/at_exit.hpp"
#include "longhaul/crypto/sha256.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

namespace longhaul::host_agent {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kRange = 1u << 20;  // bytes of one read from the blob store

std::string hex_of(const Digest& digest) { return digest.text.substr(sizeof "sha256:" - 1); }

double ms_between(TimePoint from, TimePoint to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

std::uint64_t tree_bytes(const fs::path& folder) {
    std::error_code ignored;
    std::uint64_t sum = 0;
    for (fs::recursive_directory_iterator it(folder, ignored), end; it != end;
         it.increment(ignored)) {
        if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) sum += it->file_size(ignored);
        if (ignored) break;
    }
    return sum;
}

std::string read_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

// Folder names on the way to the packages are no secret; what lies beside them is not listable.
constexpr auto kPassable = fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec;

struct Scan {
    std::map<Digest, std::uint64_t> found;
    std::string problem;
};

void scan(const std::string& folder, Scan& out) {
    std::error_code error;
    fs::create_directories(folder, error);
    fs::permissions(folder, kPassable, error);
    if (error) {
        out.problem = "cannot make " + folder + ": " + error.message();
        return;
    }
    const std::string boot = read_line("/proc/sys/kernel/random/boot_id");
    const bool same_boot = read_line(fs::path(folder) / "boot_id") == boot;
    fs::remove_all(fs::path(folder) / "tmp", error);
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        auto digest = parse_digest("sha256:" + entry.path().filename().string());
        if (!digest) continue;
        if (same_boot)
            out.found[*digest] = tree_bytes(entry.path());
        else
            fs::remove_all(entry.path(), error);
    }
    fs::create_directories(fs::path(folder) / "tmp", error);
    fs::permissions(fs::path(folder) / "tmp", fs::perms::owner_all, error);
    std::ofstream(fs::path(folder) / "boot_id") << boot << '\n';
}

Result<std::uint64_t> unpack_and_publish(const std::string& file, const std::string& temporary,
                                         const std::string& final, const UnpackLimits& limits) {
    std::error_code error;
    fs::create_directories(temporary, error);
    if (error) return make_error(Errc::io_failed, "cannot make " + temporary);
    auto unpacked = unpack_package(file, temporary, limits);
    if (unpacked) {
        fs::permissions(temporary, kPassable | fs::perms::group_read | fs::perms::others_read,
                        error);
        fs::remove_all(final, error);
        fs::rename(temporary, final, error);
        if (!error) return unpacked->bytes;
        unpacked = make_error(Errc::io_failed, "cannot publish " + final + ": " + error.message());
    }
    fs::remove_all(temporary, error);
    return unpacked.error();
}

}  // namespace

PackageCache::Pin::Pin(PackageCache& cache, Digest digest)
    : cache_(&cache), digest_(std::move(digest)) {
    ++cache_->entries_.at(digest_).pins;
}

PackageCache::Pin::~Pin() {
    if (cache_ != nullptr) --cache_->entries_.at(digest_).pins;
}

PackageCache::Pin::Pin(Pin&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)), digest_(std::move(other.digest_)) {}

PackageCache::Pin& PackageCache::Pin::operator=(Pin&& other) noexcept {
    std::swap(cache_, other.cache_);
    std::swap(digest_, other.digest_);
    return *this;
}

PackageCache::PackageCache(asio::any_io_executor executor, const port::Clock& clock, Logger logger,
                           port::Workers& workers, port::BlobStore& blobs, std::string folder,
                           const PackageLimits& limits, InUse in_use)
    : clock_(clock),
      logger_(std::move(logger)),
      workers_(workers),
      blobs_(blobs),
      folder_(std::move(folder)),
      limits_(limits),
      in_use_(std::move(in_use)),
      finished_(executor) {}

asio::awaitable<Result<void>> PackageCache::open() {
    Scan found;
    std::function<void()> job = [&found, folder = folder_] { scan(folder, found); };
    co_await workers_.run(std::move(job));
    if (!found.problem.empty()) co_return make_error(Errc::io_failed, found.problem);
    for (const auto& [digest, bytes] : found.found) {
        entries_[digest] = Entry{bytes, 0, clock_.now(), true};
        counters_.bytes += bytes;
    }
    co_return Result<void>{};
}

Result<PackageCache::Ready> PackageCache::hit(const Digest& digest, Entry& entry) {
    entry.used_at = clock_.now();
    return Ready{Pin(*this, digest), folder_of(digest)};
}

asio::awaitable<Result<PackageCache::Ready>> PackageCache::ensure(Digest digest) {
    while (true) {
        const auto place = entries_.find(digest);
        if (place == entries_.end()) break;
        if (place->second.ready) {
            ++counters_.hits;
            co_return hit(digest, place->second);
        }
        co_await finished_.wait();
    }
    entries_[digest].used_at = clock_.now();
    auto made = co_await make_first(digest);
    if (made) co_await make_room();
    co_return made;
}

// Whoever else wants it waits for the end of this, however that comes.
asio::awaitable<Result<PackageCache::Ready>> PackageCache::make_first(Digest digest) {
    bool is_there = false;
    const AtExit end([this, &digest, &is_there] {
        ++(is_there ? counters_.fetched : counters_.failed);
        if (!is_there) entries_.erase(digest);
        finished_.notify_all();
    });
    auto made = co_await make(digest);
    is_there = made.has_value();
    co_return made;
}

asio::awaitable<Result<PackageCache::Ready>> PackageCache::make(Digest digest) {
    const std::string temporary = folder_ + "/tmp/" + std::to_string(++made_);
    const std::string file = temporary + ".package";
    const TimePoint began = clock_.now();
    auto fetched = co_await fetch(digest, file);
    const TimePoint got = clock_.now();
    Result<std::uint64_t> unpacked = std::uint64_t{0};
    std::function<void()> job = [&, final = folder_of(digest)] {
        if (fetched)
            unpacked = unpack_and_publish(file, temporary, final, limits_.unpack);
        else
            unpacked = fetched.error();
        std::error_code ignored;
        fs::remove(file, ignored);
    };
    co_await workers_.run(std::move(job));
    if (!unpacked) {
        logger_.warning("package_failed",
                        {{"package", digest.text}, {"reason", unpacked.error().message}});
        co_return unpacked.error();
    }
    Entry& entry = entries_.at(digest);
    entry.bytes = *unpacked;
    entry.ready = true;
    counters_.bytes += entry.bytes;
    Result<Ready> ready = hit(digest, entry);
    ready->fetch_ms = ms_between(began, got);
    ready->unpack_ms = ms_between(got, clock_.now());
    co_return ready;
}

asio::awaitable<Result<void>> PackageCache::fetch(const Digest& digest, const std::string& file) {
    auto size = co_await blobs_.head(digest);
    if (!size) co_return size.error();
    if (*size > limits_.package_max)
        co_return make_error(
            Errc::too_large,
            "the package is larger than " + std::to_string(limits_.package_max) + " bytes",
            "bad-package");
    const TimePoint until = clock_.now() + limits_.fetch_timeout;
    crypto::Sha256 hash;
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    for (std::uint64_t offset = 0; offset < *size;) {
        if (clock_.now() > until)
            co_return make_error(Errc::timed_out, "fetching the package took longer than " +
                                                      format_duration(limits_.fetch_timeout));
        auto bytes = co_await blobs_.get(digest, offset, kRange);
        if (!bytes) co_return bytes.error();
        if (bytes->empty()) break;
        std::function<void()> job = [&hash, &out, &bytes] {
            hash.update(*bytes);
            out.write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
        };
        co_await workers_.run(std::move(job));
        offset += bytes->size();
    }
    out.close();
    if (!out) co_return make_error(Errc::io_failed, "cannot write " + file);
    if ("sha256:" + hash.finish_hex() != digest.text)
        co_return make_error(Errc::corrupt,
                             "the blob store's bytes do not have the digest " + digest.text);
    co_return Result<void>{};
}

// Removes the least recently used packages that nobody uses, until the rest fits.
asio::awaitable<void> PackageCache::make_room() {
    while (counters_.bytes > limits_.cache_max) {
        auto oldest = entries_.end();
        for (auto place = entries_.begin(); place != entries_.end(); ++place) {
            const Entry& entry = place->second;
            if (!entry.ready || entry.pins > 0 || in_use_(place->first)) continue;
            if (oldest == entries_.end() || entry.used_at < oldest->second.used_at) oldest = place;
        }
        if (oldest == entries_.end()) co_return;
        const Digest digest = oldest->first;
        counters_.bytes -= std::min(counters_.bytes, oldest->second.bytes);
        oldest->second.ready = false;  // whoever wants it waits, then fetches anew
        std::function<void()> job = [path = folder_of(digest)] {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        };
        co_await workers_.run(std::move(job));
        entries_.erase(digest);
        ++counters_.evicted;
        finished_.notify_all();
    }
}

std::string PackageCache::folder_of(const Digest& digest) const {
    return folder_ + "/" + hex_of(digest);
}

std::vector<Digest> PackageCache::digests() const {
    std::vector<Digest> all;
    for (const auto& [digest, entry] : entries_)
        if (entry.ready) all.push_back(digest);
    return all;
}

}  // namespace longhaul::host_agent
