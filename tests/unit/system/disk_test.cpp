// One set of promises for PosixDisk and for the MemoryDisk that stands in for it, then what is
// particular to each.
#include "longhaul/system/disk.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/temp_folder.hpp"

#include <sys/stat.h>

#include <functional>

namespace longhaul::system {

namespace {

using port::OpenMode;
using test::DiskOp;
using test::MemoryDisk;

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

std::string read(port::File& file, std::uint64_t offset, std::size_t length) {
    std::string text(length, '?');
    const auto got = file.read_at(offset, std::as_writable_bytes(std::span{text}));
    text.resize(got.value());
    return text;
}

void with_each_disk(const std::function<void(port::Disk&, const std::string&)>& promise) {
    SECTION("PosixDisk") {
        const test::TempFolder folder;
        PosixDisk disk;
        promise(disk, folder.path());
    }
    SECTION("MemoryDisk") {
        MemoryDisk disk;
        REQUIRE(disk.make_dir("data"));
        promise(disk, "data");
    }
}

}  // namespace

TEST_CASE("what was written is read back, and a read ends at the end of the file") {
    with_each_disk([](port::Disk& disk, const std::string& folder) {
        const auto file = disk.open(folder + "/a", OpenMode::create_new).value();
        REQUIRE(file->write_at(3, bytes("hello")));
        REQUIRE(file->sync());
        CHECK(file->size().value() == 8);
        CHECK(read(*file, 3, 5) == "hello");
        CHECK(read(*file, 6, 100) == "lo");
        CHECK(read(*file, 8, 1).empty());
        CHECK(read(*file, 0, 3) == std::string(3, '\0'));
        REQUIRE(file->truncate(4));
        CHECK(file->size().value() == 4);
        REQUIRE(file->truncate(6));
        CHECK(read(*file, 0, 100) == std::string("\0\0\0h\0\0", 6));
    });
}

TEST_CASE("a missing file is not_found, an existing one conflicts with create_new") {
    with_each_disk([](port::Disk& disk, const std::string& folder) {
        const auto missing = disk.open(folder + "/a", OpenMode::read);
        REQUIRE_FALSE(missing);
        CHECK(missing.error().code == Errc::not_found);
        CHECK(missing.error().message.find(folder + "/a") != std::string::npos);
        REQUIRE(disk.open(folder + "/a", OpenMode::write));
        CHECK(disk.open(folder + "/a", OpenMode::create_new).error().code == Errc::conflict);
        CHECK(disk.open(folder + "/none/a", OpenMode::write).error().code == Errc::not_found);
        CHECK(disk.remove(folder + "/b").error().code == Errc::not_found);
        CHECK(disk.rename(folder + "/b", folder + "/c").error().code == Errc::not_found);
        CHECK(disk.list(folder + "/none").error().code == Errc::not_found);
    });
}

TEST_CASE("a rename replaces its target, and list is sorted") {
    with_each_disk([](port::Disk& disk, const std::string& folder) {
        for (const char* name : {"/c", "/a", "/b"}) {
            const auto file = disk.open(folder + name, OpenMode::create_new).value();
            REQUIRE(file->write_at(0, bytes(name)));
        }
        REQUIRE(disk.rename(folder + "/c", folder + "/a"));
        REQUIRE(disk.make_dir(folder + "/x/y/z"));
        REQUIRE(disk.make_dir(folder + "/x/y/z"));
        REQUIRE(disk.sync_dir(folder));
        CHECK(disk.list(folder).value() == std::vector<std::string>{"a", "b", "x"});
        const auto file = disk.open(folder + "/a", OpenMode::read).value();
        CHECK(read(*file, 0, 10) == "/c");
        REQUIRE(disk.remove(folder + "/x/y/z"));
        CHECK(disk.list(folder + "/x/y").value().empty());
        CHECK(disk.free_bytes(folder).value() > 0);
    });
}

TEST_CASE("a lock is refused to a second File and free again after the first") {
    with_each_disk([](port::Disk& disk, const std::string& folder) {
        auto first = disk.open(folder + "/lock", OpenMode::write).value();
        const auto second = disk.open(folder + "/lock", OpenMode::write).value();
        REQUIRE(first->lock());
        REQUIRE(first->lock());
        const auto refused = second->lock();
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::conflict);
        first.reset();
        CHECK(second->lock());
    });
}

TEST_CASE("files and folders of the real disk are for their owner only") {
    const test::TempFolder folder;
    PosixDisk disk;
    REQUIRE(disk.open(folder / "a", OpenMode::create_new));
    REQUIRE(disk.make_dir(folder / "b"));
    struct stat status {};
    REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat((folder / "b").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    const auto in_the_way = disk.make_dir(folder / "a");
    REQUIRE_FALSE(in_the_way);
    CHECK(in_the_way.error().message.find("ENOTDIR") != std::string::npos);
}

TEST_CASE("a full device says disk-full") {
    PosixDisk disk;
    const auto full = disk.open("/dev/full", OpenMode::write);
    if (!full) {
        return;  // no such device here
    }
    const auto written = full.value()->write_at(0, bytes("x"));
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::overloaded);
    CHECK(written.error().type == "disk-full");
    CHECK(written.error().message.find("ENOSPC") != std::string::npos);
}

TEST_CASE("a power cut takes what was not synced and leaves what was") {
    int lost = 0;
    int kept = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        MemoryDisk disk{seed};
        REQUIRE(disk.make_dir("d"));
        const auto file = disk.open("d/a", OpenMode::create_new).value();
        REQUIRE(file->write_at(0, bytes("first")));
        REQUIRE(file->sync());
        REQUIRE(disk.sync_dir("d"));
        REQUIRE(file->write_at(0, bytes("other")));
        REQUIRE(disk.rename("d/a", "d/b"));
        disk.cut_power();
        CHECK_FALSE(file->sync());
        REQUIRE(disk.exists("d/a") != disk.exists("d/b"));
        const std::string content = disk.content(disk.exists("d/a") ? "d/a" : "d/b");
        (content == "first" ? lost : kept) += 1;
        CHECK((content == "first" || content == "other"));
    }
    CHECK(lost > 10);
    CHECK(kept > 10);
}

TEST_CASE("an injected fault strikes the call that was named") {
    MemoryDisk disk;
    const auto file = disk.open("a", OpenMode::create_new).value();
    disk.fail(DiskOp::write, 2);
    CHECK(file->write_at(0, bytes("1")));
    CHECK(file->write_at(0, bytes("2")).error().code == Errc::io_failed);
    CHECK(file->write_at(0, bytes("3")));
    disk.set_capacity(4);
    CHECK(file->write_at(0, bytes("12345")).error().type == "disk-full");
    disk.stop_after(1);
    CHECK(file->write_at(0, bytes("4")));
    CHECK_FALSE(file->sync());
    CHECK_FALSE(file->size());
    disk.kill();
    CHECK(disk.content("a") == "4");
}

}  // namespace longhaul::system
