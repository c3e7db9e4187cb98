#include "gateway/bodies/body_store.hpp"

#include "longhaul/crypto/sha256.hpp"
#include "longhaul/system/workers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/support/run.hpp"

#include <algorithm>
#include <deque>

using namespace longhaul;
using namespace longhaul::gateway;
using test::DiskOp;

namespace {

class ChunkSource final : public port::ByteSource {
public:
    explicit ChunkSource(std::deque<Result<std::string>> chunks) : chunks_(std::move(chunks)) {}

    boost::asio::awaitable<Result<std::string>> read() override {
        if (chunks_.empty()) co_return std::string{};
        Result<std::string> chunk = std::move(chunks_.front());
        chunks_.pop_front();
        co_return chunk;
    }

    [[nodiscard]] std::size_t left() const { return chunks_.size(); }

private:
    std::deque<Result<std::string>> chunks_;
};

std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    return bytes;
}

ChunkSource in_chunks(const std::string& bytes, std::size_t chunk_bytes) {
    std::deque<Result<std::string>> chunks;
    for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes)
        chunks.emplace_back(bytes.substr(at, chunk_bytes));
    return ChunkSource{std::move(chunks)};
}

boost::asio::awaitable<bool> remove_file(BodyStore& store, std::string file) {
    co_await store.remove(std::move(file));
    co_return true;
}

struct Bed {
    test::MemoryDisk disk{1};
    test::FakeClock clock;
    test::SeededRandom random{1};
    system::InlineWorkers workers;
    boost::asio::io_context context;
    BodyLimits limits{.inline_max = 1000, .reserve_bytes = 0};
    BodyStore store{"data/bodies", disk, workers, random, limits};

    Result<void> open(std::unordered_set<std::string> known = {}) {
        return test::run_task(context, clock, store.open(std::move(known)));
    }

    Result<Content> save(ChunkSource source, std::uint64_t bytes_max = 1u << 20,
                         std::optional<std::uint64_t> expected = {}) {
        return test::run_task(context, clock,
                              store.store(source, bytes_max, "text/plain", expected));
    }

    Result<std::string> load(const Content& content, std::uint64_t offset, std::uint64_t length) {
        auto source = test::run_task(context, clock, store.read(content, offset, length));
        if (!source) return source.error();
        return test::run_task(context, clock, port::read_all(**source, UINT64_MAX));
    }

    std::vector<std::string> files() { return *disk.list("data/bodies"); }
};

}  // namespace

TEST_CASE("a body up to the limit is inline, one byte more is a file") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    const std::string small = pattern(1000);
    const Result<Content> inlined = bed.save(in_chunks(small, 333));
    REQUIRE(inlined.has_value());
    CHECK(inlined->inline_bytes == small);
    CHECK(inlined->file.empty());
    CHECK(inlined->size == 1000);
    CHECK(inlined->sha256 == crypto::sha256_hex(small));
    CHECK(inlined->content_type == "text/plain");
    CHECK(bed.files().empty());

    const std::string large = pattern(1001);
    const Result<Content> filed = bed.save(in_chunks(large, 333));
    REQUIRE(filed.has_value());
    CHECK(filed->inline_bytes.empty());
    CHECK(filed->size == 1001);
    CHECK(filed->sha256 == crypto::sha256_hex(large));
    CHECK(bed.files() == std::vector<std::string>{filed->file});
    CHECK(*bed.load(*filed, 0, 1001) == large);
}

TEST_CASE("an empty body is inline and has a digest") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    const Result<Content> content = bed.save(in_chunks("", 1), 0, 0);
    REQUIRE(content.has_value());
    CHECK(content->size == 0);
    CHECK(content->sha256 == crypto::sha256_hex(""));
    CHECK(bed.load(*content, 0, 0)->empty());
}

TEST_CASE("a stored body survives a power cut, whatever its size") {
    const std::size_t size = GENERATE(1001u, 262'144u, 262'145u, 900'000u);
    Bed bed;
    REQUIRE(bed.open().has_value());
    const std::string bytes = pattern(size);
    const Result<Content> content = bed.save(in_chunks(bytes, 65'536), size, size);
    REQUIRE(content.has_value());
    CHECK(content->sha256 == crypto::sha256_hex(bytes));
    bed.disk.cut_power();
    CHECK(*bed.load(*content, 0, size) == bytes);
}

TEST_CASE("any range of a body can be read") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    for (const std::size_t size : {900u, 200'000u}) {
        const std::string bytes = pattern(size);
        const Result<Content> content = bed.save(in_chunks(bytes, 5000));
        REQUIRE(content.has_value());
        test::SeededRandom random{size};
        for (int i = 0; i < 50; ++i) {
            const std::uint64_t offset = random.below(size + 1);
            const std::uint64_t length = random.below(size - offset + 1);
            REQUIRE(*bed.load(*content, offset, length) == bytes.substr(offset, length));
        }
    }
}

TEST_CASE("a body over the limit is refused and leaves nothing") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    for (const std::uint64_t bytes_max : {500u, 1500u, 300'000u}) {
        const Result<Content> content =
            bed.save(in_chunks(pattern(bytes_max + 1), 500), bytes_max);
        REQUIRE(content.has_error());
        CHECK(content.error().code == Errc::too_large);
        CHECK(content.error().message.find(std::to_string(bytes_max)) != std::string::npos);
        CHECK(bed.files().empty());
    }
    CHECK(bed.save(in_chunks(pattern(1500), 500), 1500).has_value());
}

TEST_CASE("a body announced as too large is refused before it is read") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    ChunkSource source = in_chunks(pattern(2000), 500);
    const Result<Content> content = test::run_task(
        bed.context, bed.clock, bed.store.store(source, 1999, "", std::uint64_t{2000}));
    REQUIRE(content.has_error());
    CHECK(content.error().code == Errc::too_large);
    CHECK(source.left() == 4);
}

TEST_CASE("a body that stops half way is refused and leaves nothing") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    for (const std::size_t size : {100u, 5000u, 300'000u}) {
        const Result<Content> content = bed.save(in_chunks(pattern(size), 500), 1u << 20, size + 1);
        REQUIRE(content.has_error());
        CHECK(content.error().code == Errc::invalid_argument);
        CHECK(content.error().message.find("stopped after " + std::to_string(size)) !=
              std::string::npos);
        CHECK(bed.files().empty());
    }
}

TEST_CASE("a source that fails ends the store with its error and leaves nothing") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    std::deque<Result<std::string>> chunks;
    chunks.emplace_back(pattern(300'000));
    chunks.emplace_back(make_error(Errc::unavailable, "the peer left"));
    const Result<Content> content = bed.save(ChunkSource{std::move(chunks)});
    REQUIRE(content.has_error());
    CHECK(content.error().code == Errc::unavailable);
    CHECK(bed.files().empty());
}

TEST_CASE("opening removes the files that no record names, and nothing else") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    const Result<Content> kept = bed.save(in_chunks(pattern(2000), 500));
    const Result<Content> orphan = bed.save(in_chunks(pattern(3000), 500));
    bed.disk.set_content("data/bodies/notes.txt", "a person's");
    REQUIRE(bed.open({kept->file}).has_value());
    CHECK(bed.files() == std::vector<std::string>{kept->file, "notes.txt"});
    CHECK(bed.load(*orphan, 0, 10).error().code == Errc::not_found);
    CHECK(bed.load(*kept, 0, 2000).has_value());
}

TEST_CASE("removing a file is quiet about what is not there or not a body") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    const Result<Content> content = bed.save(in_chunks(pattern(2000), 500));
    bed.disk.set_content("data/secret", "s");
    for (const std::string& name : {content->file, content->file, std::string{"../secret"}})
        CHECK(test::run_task(bed.context, bed.clock, remove_file(bed.store, name)));
    CHECK(bed.files().empty());
    CHECK(bed.disk.exists("data/secret"));
}

TEST_CASE("a body file that is shorter than recorded, or a wrong name, is corrupt") {
    Bed bed;
    REQUIRE(bed.open().has_value());
    Result<Content> content = bed.save(in_chunks(pattern(2000), 500));
    bed.disk.set_content("data/bodies/" + content->file, pattern(1500));
    CHECK(bed.load(*content, 1000, 1000).error().code == Errc::corrupt);
    CHECK(bed.load(*content, 0, 1500).has_value());
    content->file = "../../etc/passwd";
    CHECK(bed.load(*content, 0, 1).error().code == Errc::corrupt);
}

TEST_CASE("a file is refused while less than the reserve is free") {
    Bed bed;
    BodyLimits limits = bed.limits;
    limits.reserve_bytes = 1u << 20;
    BodyStore store{"data/bodies", bed.disk, bed.workers, bed.random, limits};
    REQUIRE(bed.open().has_value());
    bed.disk.set_capacity((1u << 20) + 100);
    ChunkSource source = in_chunks(pattern(2000), 500);
    const Result<Content> content =
        test::run_task(bed.context, bed.clock, store.store(source, 1u << 20, "", {}));
    REQUIRE(content.has_error());
    CHECK(content.error().code == Errc::overloaded);
    CHECK(content.error().type == "disk-full");
    CHECK(bed.files().empty());
    ChunkSource small = in_chunks(pattern(1000), 500);
    CHECK(test::run_task(bed.context, bed.clock, store.store(small, 1u << 20, "", {})).has_value());
}

TEST_CASE("whichever call of the disk fails, the store says so and the next start is clean") {
    for (const DiskOp op : {DiskOp::open, DiskOp::write, DiskOp::sync, DiskOp::sync_dir,
                            DiskOp::free_bytes}) {
        for (std::uint64_t nth = 1; nth < 10; ++nth) {
            Bed bed;
            REQUIRE(bed.open().has_value());
            const std::uint64_t before = bed.disk.calls(op);
            bed.disk.fail(op, nth);
            const Result<Content> content = bed.save(in_chunks(pattern(600'000), 65'536));
            if (bed.disk.calls(op) - before < nth) {
                CHECK(content.has_value());
                break;
            }
            REQUIRE(content.has_error());
            CHECK(content.error().code == Errc::io_failed);
            CHECK(bed.files().empty());
        }
    }
}

TEST_CASE("after a power cut at any moment the next start leaves only named files") {
    for (std::uint64_t calls = 0; calls < 20; ++calls) {
        Bed bed;
        REQUIRE(bed.open().has_value());
        const Result<Content> named = bed.save(in_chunks(pattern(2000), 500));
        bed.disk.stop_after(calls);
        const Result<Content> content = bed.save(in_chunks(pattern(600'000), 65'536));
        bed.disk.cut_power();
        std::unordered_set<std::string> known{named->file};
        if (content) known.insert(content->file);
        REQUIRE(bed.open(known).has_value());
        CHECK(bed.files().size() == known.size());
        CHECK(*bed.load(*named, 0, 2000) == pattern(2000));
        if (content) CHECK(*bed.load(*content, 0, 600'000) == pattern(600'000));
    }
}
