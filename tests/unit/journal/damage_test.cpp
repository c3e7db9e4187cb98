// Torn tails and damage: what was sealed is never lost in silence (I1, I12).
#include "tests/unit/journal/journal_fixture.hpp"

#include "longhaul/journal/batch_codec.hpp"

#include <set>

namespace longhaul::journal {

namespace {

using test::DiskOp;

const std::string kFirstSegment = "j/00000000000000000001.segment";

// A journal of three batches, its file as it is after the last append (unsealed) and after the
// seal.
struct Images {
    JournalFixture fixture;
    Records records{"one", "two", "three " + std::string(700, 'x'), "four"};
    std::string before_last;
    std::string unsealed;
    std::string sealed;

    Images() {
        const auto journal = fixture.open().value();
        REQUIRE(fixture.append(*journal, {records[0], records[1]}));
        before_last = fixture.disk.content(kFirstSegment);
        REQUIRE(fixture.append(*journal, {records[2], records[3]}));
        unsealed = fixture.disk.content(kFirstSegment);
        fixture.let_run(*journal, std::chrono::seconds{1});
        sealed = fixture.disk.content(kFirstSegment);
    }

    // Opens a journal whose only segment is `image`.
    Result<Records> recover(std::string image, std::string* cut = nullptr) {
        fixture.disk.set_content(kFirstSegment, std::move(image));
        const auto journal = fixture.open();
        if (!journal) {
            return journal.error();
        }
        if (cut != nullptr) {
            *cut = (*journal)->opening().cut_tail;
        }
        return read_all(**journal);
    }
};

std::size_t first_difference(const std::string& a, const std::string& b) {
    std::size_t at = 0;
    while (at < a.size() && a[at] == b[at]) {
        ++at;
    }
    return at;
}

}  // namespace

TEST_CASE("an unsealed last batch cut at any byte is dropped whole, reported, and written over") {
    Images images;
    const Records kept{images.records[0], images.records[1]};
    const std::size_t begin = first_difference(images.before_last, images.unsealed);
    const std::size_t end = images.unsealed.find_last_not_of('\0') + 1;
    REQUIRE(end > begin + 700);
    for (std::size_t at = begin; at < end; ++at) {
        std::string image = images.unsealed;
        std::fill(image.begin() + static_cast<std::ptrdiff_t>(at), image.end(), '\0');
        std::string cut;
        const auto found = images.recover(image, &cut);
        INFO("cut at " << at);
        REQUIRE(found);
        REQUIRE(*found == kept);
        REQUIRE(cut.empty() == (at == begin));
        // The place is free again, and the next batch is not confused with what lay there.
        {
            const auto journal = images.fixture.open().value();
            REQUIRE(journal->opening().cut_tail.empty());
            REQUIRE(images.fixture.append(*journal, {"new"}).value() == 3);
        }
        const auto journal = images.fixture.open().value();
        REQUIRE(read_all(*journal).value() == Records{kept[0], kept[1], "new"});
    }
}

TEST_CASE("any sectors of the last batch may be missing: it is there whole or not at all") {
    Images images;
    const std::size_t begin = first_difference(images.before_last, images.unsealed) / 512 * 512;
    const std::size_t sectors = (images.unsealed.find_last_not_of('\0') + 512 - begin) / 512;
    REQUIRE(sectors >= 2);
    for (std::size_t mask = 0; mask < (1U << sectors); ++mask) {
        std::string image = images.unsealed;
        for (std::size_t sector = 0; sector < sectors; ++sector) {
            if ((mask >> sector & 1) == 0) {
                image.replace(begin + sector * 512, 512, 512, '\0');
            }
        }
        const auto found = images.recover(image);
        REQUIRE(found);
        CHECK(found->size() == (mask + 1 == (1U << sectors) ? 4U : 2U));
    }
}

TEST_CASE("a flipped bit anywhere in a sealed journal loses no record in silence") {
    Images images;
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < images.sealed.size() * 8; ++bit) {
        std::string image = images.sealed;
        image[bit / 8] = static_cast<char>(image[bit / 8] ^ (1 << bit % 8));
        const auto found = images.recover(image);
        INFO("flipped bit " << bit);
        if (found) {
            REQUIRE(*found == images.records);
            continue;
        }
        ++refused;
        REQUIRE(found.error().code == Errc::corrupt);
        REQUIRE(found.error().message.find(kFirstSegment) != std::string::npos);
        REQUIRE(found.error().message.find("offset") != std::string::npos);
        // And nothing was deleted or repaired.
        REQUIRE(images.fixture.disk.content(kFirstSegment) == image);
    }
    CHECK(refused > 8 * 800);
}

TEST_CASE("a lost sector anywhere before the seal is damage, not a torn tail") {
    Images images;
    const std::size_t seal = first_difference(images.unsealed, images.sealed) / 512 * 512;
    for (std::size_t at = 0; at < seal; at += 512) {
        std::string image = images.sealed;
        image.replace(at, 512, 512, '\0');
        const auto found = images.recover(image);
        REQUIRE_FALSE(found);
        CHECK(found.error().code == Errc::corrupt);
    }
}

TEST_CASE("a damaged seal is damage as soon as a batch follows it") {
    Images images;
    const std::size_t seal = first_difference(images.unsealed, images.sealed) / 512 * 512;
    images.recover(images.sealed).value();
    {
        const auto journal = images.fixture.open().value();
        REQUIRE(images.fixture.append(*journal, {"five"}));
    }
    std::string image = images.fixture.disk.content(kFirstSegment);
    image[seal + 20] = static_cast<char>(image[seal + 20] ^ 1);
    const auto found = images.recover(image);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Errc::corrupt);
    CHECK(found.error().message.find("offset " + std::to_string(seal)) != std::string::npos);
}

TEST_CASE("a file shorter than its header says is refused at every length") {
    Images images;
    for (std::size_t length = 0; length < images.sealed.size(); length += 97) {
        const auto found = images.recover(images.sealed.substr(0, length));
        REQUIRE_FALSE(found);
        CHECK(found.error().code == Errc::corrupt);
    }
}

TEST_CASE("a record that looks like a batch behind a torn one is not believed") {
    // The image of a real segment of another journal, as a record of this one.
    Images other;
    Images images;
    const std::string trap = std::string(512 - 64 - 4, '.') + other.sealed.substr(512, 1024);
    {
        images.recover(images.sealed).value();
        const auto journal = images.fixture.open().value();
        images.fixture.options.salt = 7;
        REQUIRE(images.fixture.append(*journal, {trap}));
    }
    // Another salt, as two journals have: then tear the batch at its header.
    std::string image = images.fixture.disk.content(kFirstSegment);
    const std::size_t at = image.rfind(trap.substr(0, 100)) / 512 * 512;
    for (std::size_t block = at + 512; block + 512 <= image.size(); block += 512) {
        if (image.compare(block, 4, "LHBT") == 0) {
            image[block + 40] = static_cast<char>(image[block + 40] ^ 1);
        }
    }
    image.replace(at, 512, 512, '\0');
    const auto found = images.recover(image);
    REQUIRE(found);
    CHECK(*found == images.records);
}

TEST_CASE("a missing, renamed or foreign segment is refused") {
    JournalFixture fixture;
    {
        const auto journal = fixture.open().value();
        for (int i = 1; i <= 60; ++i) {
            REQUIRE(fixture.append(*journal, numbered(i, 1, 500)));
        }
        REQUIRE(journal->segment_count() >= 4);
    }
    const auto paths = fixture.disk.paths();
    REQUIRE(paths[1].ends_with(".segment"));
    const std::string second = fixture.disk.content(paths[1]);
    SECTION("a missing one") { REQUIRE(fixture.disk.remove(paths[1])); }
    SECTION("one with another's content") {
        fixture.disk.set_content(paths[1], fixture.disk.content(paths[0]));
    }
    SECTION("one with a flipped byte in its middle") {
        std::string damaged = second;
        damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
        fixture.disk.set_content(paths[1], damaged);
    }
    SECTION("one whose first batch is gone") {
        std::string damaged = second;
        damaged.replace(512, 64, 64, '\0');
        fixture.disk.set_content(paths[1], damaged);
    }
    const auto journal = fixture.open().value();
    const auto found = read_all(*journal);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == Errc::corrupt);
    // What does not need the damaged part can still be read.
    CHECK(read_all(*journal, 58).value() == numbered(58, 3, 500));
}

}  // namespace longhaul::journal
