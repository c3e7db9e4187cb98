// The bytes on disk: checksums by two ways, a golden batch, and refusals.
#include "longhaul/journal/batch_codec.hpp"
#include "longhaul/journal/crc32c.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seeded_random.hpp"

#include <fmt/format.h>

namespace longhaul::journal {

namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

std::string hex(std::span<const std::byte> data) {
    std::string text;
    for (const std::byte byte : data) {
        text += fmt::format("{:02x}", std::to_integer<int>(byte));
    }
    return text;
}

}  // namespace

TEST_CASE("crc32c gives the known values, by instruction and by table") {
    CHECK(crc32c(0, bytes("")) == 0);
    CHECK(crc32c(0, bytes("123456789")) == 0xe3069283);
    CHECK(crc32c_by_table(0, bytes("123456789")) == 0xe3069283);
    CHECK(crc32c(0, bytes(std::string(32, '\0'))) == 0x8a9136aa);
    CHECK(crc32c(crc32c(0, bytes("1234")), bytes("56789")) == 0xe3069283);
    test::SeededRandom random{1};
    std::string text;
    for (int i = 0; i < 300; ++i) {
        CHECK(crc32c(7, bytes(text)) == crc32c_by_table(7, bytes(text)));
        text += static_cast<char>(random.next());
    }
}

TEST_CASE("a batch has the bytes that are on disks already") {
    std::vector<std::byte> out;
    const BatchHeader header{.first = 7, .previous_crc = 0x01020304, .durable = 6, .salt = 0x1122};
    const std::vector<std::string> records{"ab", ""};
    const auto crc = append_batch(out, header, records);
    REQUIRE(out.size() == 512);
    CHECK(hex(std::span{out}.first(8)) == "4c48425401000000");
    CHECK(hex(std::span{out}.subspan(12, 62)) ==
          "0a000000"
          "0700000000000000"
          "02000000"
          "04030201"
          "0600000000000000"
          "2211000000000000"
          "00000000000000000000000000000000"
          "02000000"
          "6162"
          "00000000");
    const auto decoded = decode_batch_header(out);
    REQUIRE(decoded);
    CHECK(decoded->crc == crc);
    CHECK(decoded->count == 2);
    CHECK(decoded->length == 10);
    CHECK(batch_crc_holds(*decoded, std::span{out}.first(64 + 10)));
    CHECK(batch_bytes(records) == 512);
    CHECK(batch_bytes(std::vector<std::string>{std::string(512 - 64 - 4, 'x')}) == 512);
    CHECK(batch_bytes(std::vector<std::string>{std::string(512 - 64 - 3, 'x')}) == 1024);
}

TEST_CASE("a segment's header round-trips and refuses any flipped byte") {
    std::vector<std::byte> out;
    append_segment_header(out,
                          SegmentHeader{.first = 9, .bytes = 4096, .previous_crc = 5, .salt = 6});
    REQUIRE(out.size() == 512);
    const auto decoded = decode_segment_header(out);
    REQUIRE(decoded);
    CHECK(decoded->first == 9);
    CHECK(decoded->bytes == 4096);
    CHECK(decoded->previous_crc == 5);
    CHECK(decoded->salt == 6);
    for (std::size_t at = 0; at < kHeaderBytes; ++at) {
        auto damaged = out;
        damaged[at] ^= std::byte{1};
        CHECK_FALSE(decode_segment_header(damaged));
    }
}

TEST_CASE("records that do not fill their batch exactly are corrupt") {
    const auto ignore = [](Position, std::string_view) { return Result<void>{}; };
    const std::string payload{"\x02\0\0\0ab", 6};
    CHECK(for_each_record(BatchHeader{.count = 1}, bytes(payload), ignore));
    CHECK(for_each_record(BatchHeader{.count = 2}, bytes(payload), ignore).error().code ==
          Errc::corrupt);
    CHECK(for_each_record(BatchHeader{.count = 0}, bytes(payload), ignore).error().code ==
          Errc::corrupt);
    CHECK(for_each_record(BatchHeader{.count = 1}, bytes(payload).first(5), ignore).error().code ==
          Errc::corrupt);
}

}  // namespace longhaul::journal
