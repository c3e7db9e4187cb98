#include "cli/deploy_archive.hpp"

#include "cli/local_file.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include <fnmatch.h>

namespace longhaul::cli {
namespace {

namespace fs = std::filesystem;

struct Item {
    std::string path;  // from the folder, with '/'
    fs::file_status status;
};

class Ignore {
public:
    explicit Ignore(std::string_view text) {
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            add(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }

    [[nodiscard]] bool matches(const std::string& path, bool is_folder) const {
        const auto slash = path.rfind('/');
        const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
            if (pattern.folders_only && !is_folder) return false;
            return ::fnmatch(pattern.text.c_str(), path.c_str(), FNM_PATHNAME) == 0 ||
                   ::fnmatch(pattern.text.c_str(), name.c_str(), FNM_PATHNAME) == 0;
        });
    }

private:
    struct Pattern {
        std::string text;
        bool folders_only = false;
    };

    void add(std::string_view line) {
        while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) return;
        const bool folders_only = line.ends_with('/');
        if (folders_only) line.remove_suffix(1);
        if (line.starts_with('/')) line.remove_prefix(1);
        patterns_.push_back({std::string(line), folders_only});
    }

    std::vector<Pattern> patterns_;
};

constexpr std::string_view kAlwaysIgnored =
    ".git\n__pycache__/\n*.pyc\nnode_modules/.cache\n.longhaulignore\n";

Error cannot(std::string_view what, const fs::path& path, const std::error_code& code) {
    return make_error(Errc::io_failed,
                      "cannot " + std::string(what) + " " + path.string() + ": " + code.message());
}

Result<Ignore> read_ignore(const fs::path& folder) {
    std::string text(kAlwaysIgnored);
    const auto file = folder / ".longhaulignore";
    std::error_code code;
    if (fs::exists(file, code)) {
        auto own = read_file(file.string());
        if (!own) return own.error();
        text += *own;
    }
    return Ignore(text);
}

Result<void> collect(const fs::path& folder, const std::string& prefix, const Ignore& ignore,
                     std::vector<Item>& out) {
    std::error_code code;
    fs::directory_iterator entries(folder, code);
    if (code) return cannot("read the folder", folder, code);
    for (const auto& entry : entries) {
        Item item{prefix + entry.path().filename().string(), entry.symlink_status(code)};
        if (code) return cannot("look at", entry.path(), code);
        const bool is_folder = fs::is_directory(item.status);
        if (item.path == "function.toml" || ignore.matches(item.path, is_folder)) continue;
        out.push_back(item);
        if (!is_folder) continue;
        if (auto done = collect(entry.path(), item.path + "/", ignore, out); !done) return done;
    }
    return {};
}

struct FreeArchive {
    void operator()(archive* handle) const { archive_write_free(handle); }
};
struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

class Writer {
public:
    explicit Writer(std::string& out) : handle_(archive_write_new()) {
        archive_write_set_format_pax_restricted(handle_.get());
        archive_write_add_filter_zstd(handle_.get());
        archive_write_set_bytes_per_block(handle_.get(), 0);
        opened_ = archive_write_open(handle_.get(), &out, nullptr, &append, nullptr) == ARCHIVE_OK;
    }

    [[nodiscard]] Result<void> add(const Item& item, const std::string& content,
                                   const std::string& link) {
        const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
        archive_entry_set_pathname(entry.get(), item.path.c_str());
        archive_entry_set_mtime(entry.get(), 0, 0);
        archive_entry_set_uid(entry.get(), 0);
        archive_entry_set_gid(entry.get(), 0);
        const bool executable =
            (item.status.permissions() & fs::perms::owner_exec) != fs::perms::none;
        if (fs::is_symlink(item.status)) {
            archive_entry_set_filetype(entry.get(), AE_IFLNK);
            archive_entry_set_symlink(entry.get(), link.c_str());
            archive_entry_set_perm(entry.get(), 0777);
        } else if (fs::is_directory(item.status)) {
            archive_entry_set_filetype(entry.get(), AE_IFDIR);
            archive_entry_set_perm(entry.get(), 0755);
        } else {
            archive_entry_set_filetype(entry.get(), AE_IFREG);
            archive_entry_set_perm(entry.get(), executable ? 0755 : 0644);
            archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
        }
        if (!opened_ || archive_write_header(handle_.get(), entry.get()) != ARCHIVE_OK)
            return failed(item);
        if (content.empty()) return {};
        const auto written = archive_write_data(handle_.get(), content.data(), content.size());
        return written == static_cast<la_ssize_t>(content.size()) ? Result<void>() : failed(item);
    }

    [[nodiscard]] Result<void> close() {
        if (archive_write_close(handle_.get()) == ARCHIVE_OK) return {};
        return make_error(Errc::io_failed, "cannot finish the package: " + reason());
    }

private:
    static la_ssize_t append(archive*, void* out, const void* data, size_t size) {
        static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
    }

    [[nodiscard]] std::string reason() const {
        const char* text = archive_error_string(handle_.get());
        return text ? text : "unknown";
    }
    [[nodiscard]] Error failed(const Item& item) const {
        return make_error(Errc::io_failed, "cannot pack " + item.path + ": " + reason());
    }

    std::unique_ptr<archive, FreeArchive> handle_;
    bool opened_ = false;
};

// Where the link leads, if it stays inside the package.
Result<std::string> inner_link(const fs::path& folder, const std::string& path) {
    std::error_code code;
    const fs::path target = fs::read_symlink(folder / path, code);
    if (code) return cannot("read the link", folder / path, code);
    const fs::path reached = (fs::path(path).parent_path() / target).lexically_normal();
    if (target.is_absolute() || (!reached.empty() && *reached.begin() == ".."))
        return make_error(Errc::invalid_argument, "the link " + path + " -> " + target.string() +
                                                      " leads out of the folder");
    return target.string();
}

Result<void> pack_item(const fs::path& folder, const Item& item, Writer& writer, Archive& archive) {
    std::string content;
    std::string link;
    if (fs::is_symlink(item.status)) {
        auto target = inner_link(folder, item.path);
        if (!target) return target.error();
        link = std::move(*target);
    } else if (fs::is_regular_file(item.status)) {
        auto read = read_file((folder / item.path).string());
        if (!read) return read.error();
        content = std::move(*read);
        ++archive.files;
        archive.content_bytes += content.size();
    } else if (!fs::is_directory(item.status)) {
        return make_error(Errc::invalid_argument, item.path + " is no file, folder or link");
    }
    return writer.add(item, content, link);
}

}  // namespace

Result<Archive> pack_folder(const std::string& folder) {
    auto ignore = read_ignore(folder);
    if (!ignore) return ignore.error();
    std::vector<Item> items;
    if (auto collected = collect(folder, "", *ignore, items); !collected) return collected.error();
    std::ranges::sort(items, {}, &Item::path);
    Archive archive;
    Writer writer(archive.bytes);
    for (const Item& item : items)
        if (auto packed = pack_item(folder, item, writer, archive); !packed) return packed.error();
    if (auto closed = writer.close(); !closed) return closed.error();
    return archive;
}

}  // namespace longhaul::cli
