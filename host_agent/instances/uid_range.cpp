#include "host_agent/instances/uid_range.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

namespace longhaul::host_agent {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kOwnerMax = 4096;  // PATH_MAX

Error io_error(const std::string& what, const std::string& path) {
    return make_error(Errc::io_failed, what + " " + path + ": " + std::strerror(errno) +
                                           " (uid_claims_dir names the folder)");
}

process::UniqueFd claim_socket(std::uint32_t first) {
    const std::string name = "longhaul-uids-" + std::to_string(first);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 2);  // abstract: begins with NUL
    process::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        fd.reset();
    return fd;
}

std::string owner_in(int fd) {
    std::array<char, kOwnerMax> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

bool write_owner(int fd, const std::string& owner) {
    return ::ftruncate(fd, 0) == 0 &&
           ::pwrite(fd, owner.data(), owner.size(), 0) == static_cast<ssize_t>(owner.size());
}

struct Claim {
    process::UniqueFd lock;
    process::UniqueFd socket;
};

// Nothing: somebody else has it, or `only_own` and it is not ours already.
Result<std::optional<Claim>> try_block(const UidRangeSettings& settings, std::uint32_t first,
                                       bool only_own, const UidRange::InUse& in_use) {
    const std::string path = settings.claims_dir + "/" + std::to_string(first);
    const int flags = only_own ? O_RDWR | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC;
    Claim claim{process::UniqueFd(::open(path.c_str(), flags, 0600)), {}};
    if (!claim.lock) {
        if (only_own && errno == ENOENT) return std::optional<Claim>{};
        return io_error("cannot open", path);
    }
    const bool ours = owner_in(claim.lock.get()) == settings.owner;
    if (only_own && !ours) return std::optional<Claim>{};
    if (::flock(claim.lock.get(), LOCK_EX | LOCK_NB) != 0) return std::optional<Claim>{};
    claim.socket = claim_socket(first);
    if (!claim.socket) return std::optional<Claim>{};
    // Read again: until the lock was ours it may have changed hands.
    if (owner_in(claim.lock.get()) == settings.owner) return std::optional(std::move(claim));
    if (only_own || in_use(first, settings.count)) return std::optional<Claim>{};
    if (!write_owner(claim.lock.get(), settings.owner)) return io_error("cannot write", path);
    return std::optional(std::move(claim));
}

}  // namespace

Result<UidRange> UidRange::claim(const UidRangeSettings& settings, const InUse& in_use) {
    std::error_code error;
    fs::create_directories(settings.claims_dir, error);
    if (error) {
        errno = error.value();
        return io_error("cannot make", settings.claims_dir);
    }
    for (const bool only_own : {true, false}) {
        for (std::uint32_t block = 0; block < settings.blocks; ++block) {
            const std::uint32_t first = settings.first + block * settings.count;
            auto claimed = try_block(settings, first, only_own, in_use);
            if (!claimed) return claimed.error();
            if (!*claimed) continue;
            UidRange range;
            range.first_ = first;
            range.count_ = settings.count;
            range.lock_ = std::move((*claimed)->lock);
            range.socket_ = std::move((*claimed)->socket);
            return range;
        }
    }
    return make_error(Errc::overloaded, "all " + std::to_string(settings.blocks) + " blocks of " +
                                            std::to_string(settings.count) + " user ids from " +
                                            std::to_string(settings.first) +
                                            " are in use on this machine");
}

bool uids_in_use(std::uint32_t first, std::uint32_t count) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        struct stat about {};
        if (::stat(entry.path().c_str(), &about) != 0) continue;
        const std::string name = entry.path().filename();
        const bool is_process = name.find_first_not_of("0123456789") == std::string::npos;
        if (is_process && about.st_uid - first < count) return true;
    }
    return false;
}

}  // namespace longhaul::host_agent
