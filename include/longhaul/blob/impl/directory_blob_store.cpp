#include "longhaul/blob/directory_blob_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace longhaul::blob {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;
constexpr int kNamesTried = 1000;
constexpr std::string_view kPrefix = "sha256:";

// Runs `job` on the workers and returns what it returned.
template <class T>
asio::awaitable<Result<T>> run_on(port::Workers& workers, std::function<Result<T>()> job) {
    std::optional<Result<T>> outcome;
    std::function<void()> work = [&job, &outcome] { outcome.emplace(job()); };
    co_await workers.run(std::move(work));
    co_return std::move(*outcome);
}

Error no_such_blob(const Digest& digest) {
    return make_error(Errc::not_found, fmt::format("no blob {}", digest.text));
}

}  // namespace

DirectoryBlobStore::DirectoryBlobStore(port::Disk& disk, port::Workers& workers,
                                       DirectoryBlobStoreOptions options)
    : disk_{disk}, workers_{workers}, options_{std::move(options)} {}

Result<void> DirectoryBlobStore::remove_leftovers() {
    const std::string folder = options_.folder + "/tmp";
    const auto names = disk_.list(folder);
    if (!names) {
        return names.error().code == Errc::not_found ? Result<void>{} : Result<void>{names.error()};
    }
    for (const auto& name : *names) {
        if (auto removed = disk_.remove(folder + "/" + name); !removed) {
            return removed;
        }
    }
    return {};
}

asio::awaitable<Result<void>> DirectoryBlobStore::put_file(Digest digest, std::string path) {
    std::function<Result<void>()> job = [this, &digest, &path] { return put_now(digest, path); };
    co_return co_await run_on<void>(workers_, std::move(job));
}

asio::awaitable<Result<std::string>> DirectoryBlobStore::get(Digest digest, std::uint64_t offset,
                                                             std::uint64_t length) {
    std::function<Result<std::string>()> job = [this, &digest, offset, length] {
        return get_now(digest, offset, length);
    };
    co_return co_await run_on<std::string>(workers_, std::move(job));
}

asio::awaitable<Result<std::uint64_t>> DirectoryBlobStore::head(Digest digest) {
    std::function<Result<std::uint64_t>()> job = [this, &digest] { return head_now(digest); };
    co_return co_await run_on<std::uint64_t>(workers_, std::move(job));
}

asio::awaitable<Result<void>> DirectoryBlobStore::remove(Digest digest) {
    std::function<Result<void>()> job = [this, &digest] { return remove_now(digest); };
    co_return co_await run_on<void>(workers_, std::move(job));
}

Result<DirectoryBlobStore::Place> DirectoryBlobStore::place_of(const Digest& digest) const {
    // A digest becomes a path: nothing but its exact form may pass.
    if (auto parsed = parse_digest(digest.text); !parsed) {
        return parsed.error();
    }
    const std::string hex = digest.text.substr(kPrefix.size());
    const std::string folder = fmt::format("{}/sha256/{}", options_.folder, hex.substr(0, 2));
    return Place{folder, folder + "/" + hex.substr(2), hex};
}

Result<void> DirectoryBlobStore::put_now(const Digest& digest, const std::string& path) {
    const auto place = place_of(digest);
    if (!place) {
        return place.error();
    }
    if (disk_.open(place->path, port::OpenMode::read)) {
        // Another process may have renamed it and not yet synced.
        return disk_.sync_dir(place->folder);
    }
    const std::string temporary_folder = options_.folder + "/tmp";
    for (const auto& folder : {temporary_folder, place->folder}) {
        if (auto made = disk_.make_dir(folder); !made) {
            return made;
        }
    }
    Result<std::unique_ptr<port::File>> file{std::unique_ptr<port::File>{}};
    std::string temporary;
    for (int number = 0; number < kNamesTried; ++number) {
        temporary = fmt::format("{}/{}.{}", temporary_folder, place->hex, number);
        file = disk_.open(temporary, port::OpenMode::create_new);
        if (file || file.error().code != Errc::conflict) {
            break;
        }
    }
    if (!file) {
        return file.error();
    }
    auto done = copy(path, **file);
    if (done) {
        done = disk_.rename(temporary, place->path);
    }
    if (!done) {
        (void)disk_.remove(temporary);
        return done;
    }
    return disk_.sync_dir(place->folder);
}

Result<void> DirectoryBlobStore::copy(const std::string& from, port::File& to) {
    const auto source = disk_.open(from, port::OpenMode::read);
    if (!source) {
        return source.error();
    }
    std::vector<std::byte> buffer(kCopyBytes);
    for (std::uint64_t offset = 0;;) {
        const auto got = (*source)->read_at(offset, buffer);
        if (!got) {
            return got.error();
        }
        if (auto written = to.write_at(offset, std::span{buffer}.first(*got)); !written) {
            return written;
        }
        offset += *got;
        if (*got < buffer.size()) {
            return to.sync();
        }
    }
}

Result<std::string> DirectoryBlobStore::get_now(const Digest& digest, std::uint64_t offset,
                                                std::uint64_t length) {
    const auto place = place_of(digest);
    if (!place) {
        return place.error();
    }
    const auto file = disk_.open(place->path, port::OpenMode::read);
    if (!file) {
        return file.error().code == Errc::not_found ? no_such_blob(digest) : file.error();
    }
    const auto size = (*file)->size();
    if (!size) {
        return size.error();
    }
    const std::uint64_t left = offset < *size ? *size - offset : 0;
    std::string bytes(std::min({left, length, options_.read_bytes_max}), '\0');
    const auto got = (*file)->read_at(offset, std::as_writable_bytes(std::span{bytes}));
    if (!got) {
        return got.error();
    }
    bytes.resize(*got);
    return bytes;
}

Result<std::uint64_t> DirectoryBlobStore::head_now(const Digest& digest) {
    const auto place = place_of(digest);
    if (!place) {
        return place.error();
    }
    const auto file = disk_.open(place->path, port::OpenMode::read);
    if (!file) {
        return file.error().code == Errc::not_found ? no_such_blob(digest) : file.error();
    }
    return (*file)->size();
}

Result<void> DirectoryBlobStore::remove_now(const Digest& digest) {
    const auto place = place_of(digest);
    if (!place) {
        return place.error();
    }
    if (auto removed = disk_.remove(place->path); !removed) {
        return removed.error().code == Errc::not_found ? Result<void>{} : removed;
    }
    return disk_.sync_dir(place->folder);
}

}  // namespace longhaul::blob
