#include "host_agent/packages/unpack.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_folder.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace longhaul::host_agent {
namespace {

namespace fs = std::filesystem;

struct Item {
    std::string name;
    std::string content{};
    unsigned type = AE_IFREG;
    std::string link{};
    bool hard = false;
    unsigned mode = 0644;
};

enum class Format { tar, tar_gz, tar_zst, zip };

void write_archive(const std::string& path, const std::vector<Item>& items,
                   Format format = Format::tar) {
    archive* out = archive_write_new();
    if (format == Format::zip)
        archive_write_set_format_zip(out);
    else
        archive_write_set_format_pax_restricted(out);
    if (format == Format::tar_gz) archive_write_add_filter_gzip(out);
    if (format == Format::tar_zst) archive_write_add_filter_zstd(out);
    REQUIRE(archive_write_open_filename(out, path.c_str()) == ARCHIVE_OK);
    for (const Item& item : items) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, item.name.c_str());
        archive_entry_set_perm(entry, static_cast<mode_t>(item.mode));
        archive_entry_set_filetype(entry, item.type);
        archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
        if (item.hard)
            archive_entry_set_hardlink(entry, item.link.c_str());
        else if (!item.link.empty())
            archive_entry_set_symlink(entry, item.link.c_str());
        REQUIRE(archive_write_header(out, entry) == ARCHIVE_OK);
        if (!item.content.empty())
            (void)archive_write_data(out, item.content.data(), item.content.size());
        archive_entry_free(entry);
    }
    REQUIRE(archive_write_close(out) == ARCHIVE_OK);
    archive_write_free(out);
}

struct Try {
    test::TempFolder folder;
    std::string into = folder / "into";
    UnpackLimits limits{};

    Result<Unpacked> unpack(const std::vector<Item>& items, Format format = Format::tar) {
        fs::remove_all(into);
        fs::create_directories(into);
        write_archive(folder / "package", items, format);
        return unpack_package(folder / "package", into, limits);
    }
};

std::string read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST_CASE("a package of every format unpacks to the same files") {
    Try attempt;
    for (const Format format : {Format::tar, Format::tar_gz, Format::tar_zst, Format::zip}) {
        auto done = attempt.unpack({{"./app.py", "print(1)"},
                                    {"lib", "", AE_IFDIR, "", false, 0700},
                                    {"lib/run.sh", "#!/bin/sh", AE_IFREG, "", false, 04755}},
                                   format);
        REQUIRE(done);
        CHECK(done->bytes == 17);
        CHECK(read(attempt.into + "/app.py") == "print(1)");
        const auto mode = fs::status(attempt.into + "/lib/run.sh").permissions();
        CHECK(mode == static_cast<fs::perms>(0755));
        CHECK(fs::status(attempt.into + "/lib").permissions() == static_cast<fs::perms>(0755));
    }
}

TEST_CASE("links inside of a package work") {
    Try attempt;
    auto done = attempt.unpack({{"a/data", "x"},
                                {"a/same", "", AE_IFLNK, "data"},
                                {"a/b/up", "", AE_IFLNK, "../data"},
                                {"hard", "", AE_IFREG, "a/data", true}});
    REQUIRE(done);
    CHECK(read(attempt.into + "/a/b/up") == "x");
    CHECK(read(attempt.into + "/hard") == "x");
}

TEST_CASE("nothing leaves the package's folder") {
    Try attempt;
    const std::vector<std::vector<Item>> tricks{
        {{"/etc/evil", "x"}},
        {{"../evil", "x"}},
        {{"a/../../evil", "x"}},
        {{"link", "", AE_IFLNK, "/etc"}},
        {{"link", "", AE_IFLNK, "../outside"}},
        {{"a/link", "", AE_IFLNK, "../../outside"}},
        {{"d", "", AE_IFLNK, "a"}, {"e", "", AE_IFLNK, "d/../../x"}},
        {{"hard", "", AE_IFREG, "/etc/passwd", true}},
        {{"hard", "", AE_IFREG, "../package", true}},
        {{"a", "", AE_IFDIR}, {"l", "", AE_IFLNK, "a"}, {"l/through", "x"}},
    };
    for (const auto& items : tricks) {
        auto done = attempt.unpack(items);
        INFO(items.back().name << " -> " << items.back().link);
        REQUIRE_FALSE(done);
        CHECK(done.error().type == "bad-package");
        CHECK_FALSE(fs::exists(attempt.folder / "evil"));
        CHECK_FALSE(fs::exists(attempt.into + "/a/through"));
    }
}

TEST_CASE("devices and pipes are no part of a package") {
    Try attempt;
    for (const unsigned type : {static_cast<unsigned>(AE_IFIFO), static_cast<unsigned>(AE_IFCHR)}) {
        auto done = attempt.unpack({{"thing", "", type}});
        REQUIRE_FALSE(done);
        CHECK(done.error().message.find("thing") != std::string::npos);
    }
}

TEST_CASE("a package that unpacks to too much is refused with the limit") {
    Try attempt;
    attempt.limits.bytes_max = 1 << 20;
    auto big = attempt.unpack({{"zeros", std::string(2 << 20, '\0')}}, Format::tar_zst);
    REQUIRE_FALSE(big);
    CHECK(big.error().code == Errc::too_large);
    CHECK(big.error().message.find("1048576") != std::string::npos);
    attempt.limits.entries_max = 2;
    auto many = attempt.unpack({{"a", "1"}, {"b", "2"}, {"c", "3"}});
    REQUIRE_FALSE(many);
    CHECK(many.error().code == Errc::too_large);
}

TEST_CASE("what is no archive, or a cut one, is refused") {
    Try attempt;
    fs::create_directories(attempt.into);
    std::ofstream(attempt.folder / "package") << "certainly no archive, but long enough to look";
    CHECK_FALSE(unpack_package(attempt.folder / "package", attempt.into, {}));
    write_archive(attempt.folder / "whole", {{"a", std::string(100'000, 'x')}}, Format::tar_zst);
    const std::string bytes = read(attempt.folder / "whole");
    std::ofstream(attempt.folder / "cut") << bytes.substr(0, bytes.size() / 2);
    CHECK_FALSE(unpack_package(attempt.folder / "cut", attempt.into, {}));
}

}  // namespace
}  // namespace longhaul::host_agent
