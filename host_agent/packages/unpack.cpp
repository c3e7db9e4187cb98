#include "host_agent/packages/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace longhaul::host_agent {
namespace {

struct ReadFree {
    void operator()(archive* handle) const { archive_read_free(handle); }
};
struct WriteFree {
    void operator()(archive* handle) const { archive_write_free(handle); }
};
using Reader = std::unique_ptr<archive, ReadFree>;
using Writer = std::unique_ptr<archive, WriteFree>;

Error bad(std::string_view entry, std::string_view what) {
    return make_error(Errc::invalid_argument,
                      "package entry '" + std::string(entry) + "' " + std::string(what),
                      "bad-package");
}

Error archive_error(archive* handle, std::string_view what, Errc code = Errc::invalid_argument) {
    const char* text = archive_error_string(handle);
    return make_error(code, std::string(what) + ": " + (text != nullptr ? text : "unknown error"),
                      code == Errc::invalid_argument ? "bad-package" : "");
}

// The path's parts without "." and empty ones; nothing where it is absolute or climbs above `depth`
// folders up from its place.
bool stays_inside(std::string_view path, std::size_t depth, std::string* normal) {
    if (path.empty() || path.front() == '/' || path.find('\0') != path.npos) return false;
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const auto slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path = slash == path.npos ? std::string_view{} : path.substr(slash + 1);
        if (part.empty() || part == ".") continue;
        if (part != "..") {
            parts.push_back(part);
        } else if (normal != nullptr || !parts.empty() || depth-- == 0) {
            // A name of an entry never climbs; a link climbs at its beginning only, since a part
            // before ".." may be a link itself.
            return false;
        }
    }
    if (normal == nullptr) return true;
    for (const std::string_view part : parts) {
        if (!normal->empty()) *normal += '/';
        *normal += part;
    }
    return true;
}

std::size_t folders_above(std::string_view normal) {
    std::size_t count = 0;
    for (const char letter : normal) count += letter == '/' ? 1 : 0;
    return count;
}

class Unpacker {
public:
    Unpacker(std::string root, const UnpackLimits& limits)
        : root_(std::move(root)), limits_(limits), writer_(archive_write_disk_new()) {
        archive_write_disk_set_options(
            writer_.get(), ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                               ARCHIVE_EXTRACT_NO_OVERWRITE | ARCHIVE_EXTRACT_PERM);
    }

    Result<void> add(archive* reader, archive_entry* entry) {
        const char* name = archive_entry_pathname(entry);
        // A copy: the entry lets go of its name when it is given another.
        const std::string path = name != nullptr ? name : "";
        if (++done_.entries > limits_.entries_max)
            return make_error(
                Errc::too_large,
                "the package has more than " + std::to_string(limits_.entries_max) + " entries",
                "bad-package");
        if (path.size() > limits_.path_bytes_max)
            return bad(path.substr(0, 80), "has a name longer than " +
                                               std::to_string(limits_.path_bytes_max) + " bytes");
        std::string normal;
        if (!stays_inside(path, 0, &normal)) return bad(path, "leaves the package's folder");
        if (normal.empty()) return {};  // "./": the folder itself
        if (auto links = check_links(entry, path, normal); !links) return links;
        archive_entry_copy_pathname(entry, (root_ + "/" + normal).c_str());
        if (archive_write_header(writer_.get(), entry) < ARCHIVE_WARN)
            return bad(path, archive_error_string(writer_.get()));
        if (auto copied = copy(reader, path); !copied) return copied;
        if (archive_write_finish_entry(writer_.get()) < ARCHIVE_WARN)
            return archive_error(writer_.get(), "cannot unpack " + normal, Errc::io_failed);
        return {};
    }

    Result<Unpacked> finish() {
        if (archive_write_close(writer_.get()) != ARCHIVE_OK)
            return archive_error(writer_.get(), "cannot finish unpacking", Errc::io_failed);
        return done_;
    }

private:
    Result<void> check_links(archive_entry* entry, std::string_view path,
                             const std::string& normal) {
        if (const char* target = archive_entry_hardlink(entry)) {
            std::string to;
            if (!stays_inside(target, 0, &to)) return bad(path, "links outside of the package");
            archive_entry_copy_hardlink(entry, (root_ + "/" + to).c_str());
            return {};
        }
        const auto type = archive_entry_filetype(entry);
        if (type == AE_IFLNK) {
            const char* target = archive_entry_symlink(entry);
            if (target == nullptr || !stays_inside(target, folders_above(normal), nullptr))
                return bad(path, "links outside of the package");
        } else if (type == AE_IFREG) {
            const bool runs = (archive_entry_perm(entry) & 0111) != 0;
            archive_entry_set_perm(entry, runs ? 0755 : 0644);
        } else if (type == AE_IFDIR) {
            archive_entry_set_perm(entry, 0755);
        } else {
            return bad(path, "is neither file, folder nor link");
        }
        return {};
    }

    Result<void> copy(archive* reader, std::string_view path) {
        while (true) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int got = archive_read_data_block(reader, &block, &size, &offset);
            if (got == ARCHIVE_EOF) return {};
            if (got < ARCHIVE_WARN)
                return archive_error(reader, "package entry '" + std::string(path) + "'");
            done_.bytes += size;
            // A sparse file counts with its holes: its offset is what a stranger chose.
            const std::uint64_t end = static_cast<std::uint64_t>(offset) + size;
            if (done_.bytes > limits_.bytes_max || end > limits_.bytes_max)
                return make_error(Errc::too_large,
                                  "the package unpacks to more than " +
                                      std::to_string(limits_.bytes_max) + " bytes",
                                  "bad-package");
            if (archive_write_data_block(writer_.get(), block, size, offset) < ARCHIVE_WARN)
                return archive_error(writer_.get(), "cannot write " + std::string(path),
                                     Errc::io_failed);
        }
    }

    const std::string root_;
    const UnpackLimits limits_;
    Writer writer_;
    Unpacked done_;
};

}  // namespace

Result<Unpacked> unpack_package(const std::string& file, const std::string& folder,
                                const UnpackLimits& limits) {
    // A link on the way to the folder is ours; SECURE_SYMLINKS must meet only the package's own.
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr),
                                                           &std::free);
    if (!real) return make_error(Errc::io_failed, "no such folder: " + folder);
    Reader reader(archive_read_new());
    archive_read_support_format_tar(reader.get());
    archive_read_support_format_zip(reader.get());
    archive_read_support_filter_gzip(reader.get());
    archive_read_support_filter_zstd(reader.get());
    if (archive_read_open_filename(reader.get(), file.c_str(), 256 * 1024) != ARCHIVE_OK)
        return archive_error(reader.get(), "the package is no tar, tar.gz, tar.zst or zip");
    Unpacker unpacker(real.get(), limits);
    while (true) {
        archive_entry* entry = nullptr;
        const int got = archive_read_next_header(reader.get(), &entry);
        if (got == ARCHIVE_EOF) return unpacker.finish();
        if (got < ARCHIVE_WARN) return archive_error(reader.get(), "the package cannot be read");
        if (auto added = unpacker.add(reader.get(), entry); !added) return added.error();
    }
}

}  // namespace longhaul::host_agent
