#include "gateway/ledger/record_codec.hpp"

#include "gateway/ledger/bytes.hpp"
#include "gateway/ledger/view_rows.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/gateway/record_golden.hpp"
#include "tests/unit/gateway/record_maker.hpp"

#include <chrono>
#include <cstdio>
#include <span>

using namespace longhaul;
using namespace longhaul::gateway;

namespace {

constexpr char kVersion = 3;

// Whatever the bytes: an error that says so, or a value that has exactly these bytes, where they
// are of the version that is written.
void require_error_or_exact(const std::string& bytes) {
    const Result<Record> decoded = decode_record(bytes);
    if (decoded) {
        if (bytes.front() == kVersion && encode_record(*decoded) != bytes)
            FAIL("decoded from bytes that are not its own");
        return;
    }
    const Errc code = decoded.error().code;
    if (code != Errc::corrupt && code != Errc::unsupported) FAIL(decoded.error().message);
}

std::string edited(std::string bytes, std::size_t at, char value) {
    bytes.at(at) = value;
    return bytes;
}

}  // namespace

TEST_CASE("every kind of record has the bytes that version 3 gave it") {
    const std::vector<Record> records = test::sample_records();
    REQUIRE(records.size() == std::variant_size_v<Record>);
    REQUIRE(std::size(test::kGoldenRecords) == records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        REQUIRE(records[i].index() == i);
        CHECK(test::to_hex_text(encode_record(records[i])) == test::kGoldenRecords[i]);
    }
}

TEST_CASE("every kind of record is read from the bytes of earlier versions") {
    const std::vector<Record> records = test::sample_records();
    const auto require_read = [&records](std::span<const std::string_view> golden) {
        for (std::size_t i = 0; i < golden.size(); ++i) {
            const auto decoded = decode_record(test::from_hex_text(golden[i]));
            REQUIRE(decoded);
            CHECK(test::same(*decoded, records[i]));
        }
    };
    require_read(test::kGoldenRecordsOfVersion1);
    require_read(test::kGoldenRecordsOfVersion2);
}

TEST_CASE("a function's row is read as version 1 wrote it, and as version 3 does") {
    constexpr std::size_t kVersionAndKind = 2;
    constexpr std::size_t kTime = 8;  // at the end of the record, and of the row
    const std::string record = test::from_hex_text(test::kGoldenRecordsOfVersion1[1]);
    const std::string fields =
        record.substr(kVersionAndKind, record.size() - kVersionAndKind - kTime);
    const std::string row = fields + '\1' + record.substr(record.size() - kTime);
    const auto old = rows::decode_function(row);
    REQUIRE(old);
    CHECK(old->tenant.text == "default");
    CHECK(*old->current == *std::get<FunctionPutRecord>(test::sample_records()[1]).function);
    CHECK(old->paused);
    const auto written = rows::decode_function(rows::encode_function(*old));
    REQUIRE(written);
    CHECK(*written->current == *old->current);
    CHECK(rows::decode_function(std::string{'\0', '\4'} + row).error().code == Errc::unsupported);
}

TEST_CASE("any record reads back as it was written") {
    const auto seed = GENERATE(range(1, 9));
    test::SeededRandom random{static_cast<std::uint64_t>(seed)};
    for (int i = 0; i < 500; ++i) {
        const Record record = test::random_record(random);
        const std::string bytes = encode_record(record);
        const Result<Record> decoded = decode_record(bytes);
        if (!decoded) FAIL("seed " << seed << ": " << decoded.error().message);
        if (!test::same(*decoded, record)) FAIL("seed " << seed << ", kind " << record.index());
        if (encode_record(*decoded) != bytes) FAIL("seed " << seed << ": other bytes");
    }
}

TEST_CASE("any invocation reads back as it was written, without what is relearned") {
    test::SeededRandom random{11};
    for (int i = 0; i < 500; ++i) {
        Invocation invocation = test::random_invocation(random);
        invocation.status_version = 5;
        invocation.progress = Progress{.percent = 40};
        invocation.phase = Phase::loading;
        invocation.suspect = true;
        const Result<Invocation> decoded = decode_invocation(encode_invocation(invocation));
        REQUIRE(decoded.has_value());
        CHECK(test::same(*decoded, invocation));
        CHECK(decoded->status_version == 0);
        CHECK_FALSE(decoded->progress.has_value());
        CHECK(decoded->phase == Phase::none);
        CHECK_FALSE(decoded->suspect);
    }
}

TEST_CASE("a record that is cut anywhere, or goes on, is an error") {
    for (const Record& record : test::sample_records()) {
        const std::string bytes = encode_record(record);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const Result<Record> decoded = decode_record(std::string_view{bytes}.substr(0, size));
            if (decoded) FAIL("kind " << record.index() + 1 << " cut to " << size << " bytes");
            CHECK(decoded.error().code == Errc::corrupt);
        }
        CHECK(decode_record(bytes + '\0').error().code == Errc::corrupt);
    }
}

TEST_CASE("a record with any bit flipped is an error or another record") {
    for (const Record& record : test::sample_records()) {
        std::string bytes = encode_record(record);
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            const char mask = static_cast<char>(1 << (bit % 8));
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
            require_error_or_exact(bytes);
            bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
        }
    }
}

TEST_CASE("bytes of chance are an error or a record, never a crash") {
    test::SeededRandom random{12};
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(random.below(80), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.next() >> (random.below(9)));
        if (bytes.size() > 1) {
            bytes[0] = kVersion;
            bytes[1] = static_cast<char>(1 + random.below(15));
        }
        require_error_or_exact(bytes);
    }
}

TEST_CASE("a newer version or kind is refused by name") {
    const std::string bytes = encode_record(LimitsPutRecord{});
    const Result<Record> newer = decode_record(edited(bytes, 0, kVersion + 1));
    REQUIRE(newer.has_error());
    CHECK(newer.error().code == Errc::unsupported);
    CHECK(newer.error().message.find("version 4") != std::string::npos);
    const Result<Record> other = decode_record(edited(bytes, 1, 16));
    REQUIRE(other.has_error());
    CHECK(other.error().code == Errc::unsupported);
    CHECK(other.error().message.find("kind 16") != std::string::npos);
    CHECK(decode_record(edited(bytes, 1, 0)).error().code == Errc::unsupported);

    test::SeededRandom random{13};
    const std::string row = encode_invocation(test::random_invocation(random));
    CHECK(decode_invocation(edited(row, 0, 9)).error().code == Errc::unsupported);
    CHECK(decode_invocation("").error().code == Errc::corrupt);
}

TEST_CASE("numbers keep their extremes and have one encoding") {
    ByteWriter out;
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{UINT64_MAX}})
        out.varint(value);
    for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MIN})
        out.signed_varint(value);
    const std::string bytes = out.take();
    ByteReader in{bytes};
    CHECK(in.varint() == 0);
    CHECK(in.varint() == 127);
    CHECK(in.varint() == 128);
    CHECK(in.varint() == UINT64_MAX);
    CHECK(in.signed_varint() == 0);
    CHECK(in.signed_varint() == -1);
    CHECK(in.signed_varint() == INT64_MAX);
    CHECK(in.signed_varint() == INT64_MIN);
    CHECK(in.finish("numbers").has_value());

    using namespace std::string_view_literals;
    for (const std::string_view wrong :
         {"\x80\x00"sv, "\xff"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv,
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv}) {
        ByteReader reader{wrong};
        static_cast<void>(reader.varint());
        CHECK(reader.failed());
    }
    ByteReader small{"\x80\x02"sv};
    CHECK(small.varint(255) == 0);
    CHECK(small.failed());
}

TEST_CASE("how long encoding takes, printed", "[.][speed]") {
    for (const std::size_t index : {6u, 12u}) {
        const Record record = test::sample_records().at(index);
        constexpr int kTimes = 200'000;
        std::size_t bytes = 0;
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < kTimes; ++i) bytes += encode_record(record).size();
        const std::chrono::duration<double, std::nano> spent =
            std::chrono::steady_clock::now() - begin;
        std::printf("encode kind %zu: %.0f ns, %zu bytes\n", index + 1, spent.count() / kTimes,
                    bytes / kTimes);
    }
}
