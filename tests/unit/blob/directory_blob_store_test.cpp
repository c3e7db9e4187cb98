#include "longhaul/blob/directory_blob_store.hpp"
#include "longhaul/system/disk.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"
#include "tests/support/temp_folder.hpp"

namespace longhaul::blob {

namespace {

using test::DiskOp;

const Digest kDigest{"sha256:" + std::string(64, 'a')};

struct Store {
    boost::asio::io_context context;
    system::InlineWorkers workers;
    test::MemoryDisk disk;
    DirectoryBlobStore store{disk, workers, {.folder = "blobs", .read_bytes_max = 1000}};

    explicit Store(std::uint64_t seed = 1) : disk{seed} {
        disk.set_content("in/package", "0123456789");
    }

    Result<void> put(const Digest& digest = kDigest) {
        return test::run_task(context, store.put_file(digest, "in/package"));
    }
    Result<std::string> get(std::uint64_t offset, std::uint64_t length) {
        return test::run_task(context, store.get(kDigest, offset, length));
    }
};

}  // namespace

TEST_CASE("a blob that was put is read by range") {
    Store blobs;
    REQUIRE(blobs.put());
    CHECK(test::run_task(blobs.context, blobs.store.head(kDigest)).value() == 10);
    CHECK(blobs.get(0, 4).value() == "0123");
    CHECK(blobs.get(8, 100).value() == "89");
    CHECK(blobs.get(10, 1).value().empty());
    CHECK(blobs.get(1'000'000, 1).value().empty());
}

TEST_CASE("a digest that is there is left as it is") {
    Store blobs;
    REQUIRE(blobs.put());
    blobs.disk.set_content("in/package", "something else");
    REQUIRE(blobs.put());
    CHECK(blobs.get(0, 100).value() == "0123456789");
}

TEST_CASE("a blob that is not there is not_found, and its removal is no error") {
    Store blobs;
    CHECK(blobs.get(0, 1).error().code == Errc::not_found);
    CHECK(test::run_task(blobs.context, blobs.store.head(kDigest)).error().code == Errc::not_found);
    CHECK(test::run_task(blobs.context, blobs.store.remove(kDigest)));
    REQUIRE(blobs.put());
    CHECK(test::run_task(blobs.context, blobs.store.remove(kDigest)));
    CHECK(blobs.get(0, 1).error().code == Errc::not_found);
}

TEST_CASE("what is no digest never becomes a path") {
    Store blobs;
    for (const char* bad : {"", "sha256:", "sha256:../../etc/passwd", "md5:00"}) {
        CHECK(blobs.put(Digest{bad}).error().code == Errc::invalid_argument);
    }
    CHECK(blobs.put(Digest{"sha256:" + std::string(64, 'A')}).error().code ==
          Errc::invalid_argument);
}

TEST_CASE("a put that fails at any step leaves no blob, and the next one succeeds") {
    for (const DiskOp op : {DiskOp::open, DiskOp::write, DiskOp::sync, DiskOp::rename,
                            DiskOp::make_dir, DiskOp::sync_dir, DiskOp::read}) {
        for (std::uint64_t nth = 1; nth <= 3; ++nth) {
            Store blobs;
            blobs.disk.fail(op, nth);
            const auto put = blobs.put();
            if (!put && op != DiskOp::sync_dir) {
                CHECK_FALSE(blobs.disk.exists("blobs/sha256/aa/" + std::string(62, 'a')));
            }
            blobs.disk.clear_faults();
            REQUIRE(blobs.put());
            CHECK(blobs.get(0, 100).value() == "0123456789");
        }
    }
}

TEST_CASE("a blob whose put was answered survives a power cut, others are whole or absent") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        Store blobs{seed};
        blobs.disk.stop_after(seed % 8);
        const bool answered = blobs.put().has_value();
        blobs.disk.cut_power();
        REQUIRE(blobs.store.remove_leftovers());
        const auto found = blobs.get(0, 100);
        if (answered || found) {
            INFO("seed " << seed);
            REQUIRE(found);
            CHECK(*found == "0123456789");
        }
        REQUIRE(blobs.put());
    }
}

TEST_CASE("leftovers are removed") {
    Store blobs;
    blobs.disk.set_content("blobs/tmp/old.0", "x");
    REQUIRE(blobs.store.remove_leftovers());
    CHECK_FALSE(blobs.disk.exists("blobs/tmp/old.0"));
}

TEST_CASE("the store works on a real disk with threads") {
    const test::TempFolder folder;
    system::PosixDisk disk;
    boost::asio::io_context context;
    system::ThreadWorkers workers{2};
    const std::string content(600'000, 'x');
    {
        const auto file = disk.open(folder / "in", port::OpenMode::create_new).value();
        REQUIRE(file->write_at(0, std::as_bytes(std::span{content})));
    }
    DirectoryBlobStore store{disk, workers, {.folder = folder / "blobs"}};
    REQUIRE(test::run_task(context, store.put_file(kDigest, folder / "in")));
    CHECK(test::run_task(context, store.get(kDigest, 0, 1 << 20)).value() == content);
    CHECK(disk.list(folder / "blobs/tmp").value().empty());
}

}  // namespace longhaul::blob
