#include "longhaul/system/disk.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

namespace longhaul::system {

namespace {

Error disk_error(int number, std::string_view call, std::string_view path) {
    const char* name = ::strerrorname_np(number);
    std::string message =
        fmt::format("{} {}: {} ({})", call, path, name != nullptr ? name : "unknown errno",
                    ::strerrordesc_np(number) != nullptr ? ::strerrordesc_np(number) : "");
    switch (number) {
    case ENOENT: return make_error(Errc::not_found, std::move(message));
    case ENOSPC:
    case EDQUOT: return make_error(Errc::overloaded, std::move(message), "disk-full");
    default: return make_error(Errc::io_failed, std::move(message));
    }
}

class PosixFile final : public port::File {
public:
    PosixFile(int descriptor, std::string path) : descriptor_{descriptor}, path_{std::move(path)} {}
    ~PosixFile() override { ::close(descriptor_); }
    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;

    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const auto got = ::pread(descriptor_, into.data() + done, into.size() - done,
                                     static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                return disk_error(errno, "pread", path_);
            }
            if (got == 0) {
                break;
            }
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                      static_cast<off_t>(offset + done));
            if (put < 0 && errno == EINTR) {
                continue;
            }
            if (put < 0) {
                return disk_error(errno, "pwrite", path_);
            }
            done += static_cast<std::size_t>(put);
        }
        return {};
    }

    Result<void> sync() override {
        if (!sync_failure_ && ::fdatasync(descriptor_) != 0) {
            sync_failure_ = disk_error(errno, "fdatasync", path_);
        }
        if (sync_failure_) {
            return *sync_failure_;
        }
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(descriptor_, &status) != 0) {
            return disk_error(errno, "fstat", path_);
        }
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<void> truncate(std::uint64_t size) override {
        while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
            if (errno != EINTR) {
                return disk_error(errno, "ftruncate", path_);
            }
        }
        return {};
    }

    // An open-file-description lock: it belongs to this File, not to the process, so that a second
    // open by the same process is refused as well, and closing another File does not drop it.
    Result<void> lock() override {
        struct flock request {};
        request.l_type = F_WRLCK;
        request.l_whence = SEEK_SET;
        if (::fcntl(descriptor_, F_OFD_SETLK, &request) != 0) {
            if (errno == EAGAIN || errno == EACCES) {
                return make_error(Errc::conflict,
                                  fmt::format("{} is locked by another user of it", path_));
            }
            return disk_error(errno, "fcntl(F_OFD_SETLK)", path_);
        }
        return {};
    }

private:
    const int descriptor_;
    const std::string path_;
    std::optional<Error> sync_failure_;
};

int open_flags(port::OpenMode mode) {
    switch (mode) {
    case port::OpenMode::read: return O_RDONLY | O_CLOEXEC;
    case port::OpenMode::write: return O_RDWR | O_CREAT | O_CLOEXEC;
    case port::OpenMode::create_new: return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    }
    return O_RDONLY | O_CLOEXEC;
}

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::unique_ptr<port::File>> PosixDisk::open(const std::string& path, port::OpenMode mode) {
    int descriptor = -1;
    do {
        descriptor = ::open(path.c_str(), open_flags(mode), 0600);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0 && errno == EEXIST) {
        return make_error(Errc::conflict, fmt::format("open {}: EEXIST (it exists already)", path));
    }
    if (descriptor < 0) {
        return disk_error(errno, "open", path);
    }
    return std::unique_ptr<port::File>{std::make_unique<PosixFile>(descriptor, path)};
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return disk_error(errno, "rename", fmt::format("{} to {}", from, to));
    }
    return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
    if (::remove(path.c_str()) != 0) {
        return disk_error(errno, "remove", path);
    }
    return {};
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& folder) {
    const auto close = [](DIR* directory) { ::closedir(directory); };
    const std::unique_ptr<DIR, decltype(close)> directory{::opendir(folder.c_str()), close};
    if (!directory) {
        return disk_error(errno, "opendir", folder);
    }
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr) {
            if (errno != 0) {
                return disk_error(errno, "readdir", folder);
            }
            break;
        }
        const std::string_view name{entry->d_name};
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> PosixDisk::make_dir(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) == 0) {
        return sync_dir(parent_of(folder));
    }
    if (errno == EEXIST) {
        struct stat status {};
        if (::stat(folder.c_str(), &status) != 0) {
            return disk_error(errno, "stat", folder);
        }
        if (!S_ISDIR(status.st_mode)) {
            return disk_error(ENOTDIR, "mkdir", folder);
        }
        return {};
    }
    const std::string parent = parent_of(folder);
    if (errno != ENOENT || parent == folder) {
        return disk_error(errno, "mkdir", folder);
    }
    if (auto made = make_dir(parent); !made) {
        return made;
    }
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return disk_error(errno, "mkdir", folder);
    }
    return sync_dir(parent);
}

Result<void> PosixDisk::sync_dir(const std::string& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return disk_error(errno, "open", folder);
    }
    const int outcome = ::fsync(descriptor);
    const int number = errno;
    ::close(descriptor);
    if (outcome != 0) {
        return disk_error(number, "fsync", folder);
    }
    return {};
}

Result<std::uint64_t> PosixDisk::free_bytes(const std::string& folder) {
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0) {
        return disk_error(errno, "statvfs", folder);
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace longhaul::system
