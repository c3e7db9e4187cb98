#include "longhaul/net/impl/chunked.hpp"

#include "tests/support/catch.hpp"

namespace longhaul::net::test {
namespace {

// Feeds piece by piece; "" + '!' + message on an error, '?' appended when not done.
std::string decode(std::string_view bytes, std::size_t step,
                   ChunkDecoder::Extras extras = ChunkDecoder::Extras::refuse) {
    ChunkDecoder decoder(extras);
    std::string out;
    while (!bytes.empty() && !decoder.done()) {
        const auto taken = decoder.feed(bytes.substr(0, step), out, 3);
        if (!taken) return "!";
        bytes.remove_prefix(*taken);
    }
    return out + (decoder.done() ? "" : "?") + std::string(bytes.empty() ? "" : "+rest");
}

}  // namespace

TEST_CASE("a chunked body is decoded whatever the pieces") {
    for (const std::size_t step : {1, 2, 3, 7, 100}) {
        CHECK(decode("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", step) == "hello world");
        CHECK(decode("0\r\n\r\n", step) == "");
        CHECK(decode("000A\r\n0123456789\r\n0\r\n\r\n", step) == "0123456789");
        CHECK(decode("5\r\nhel", step) == "hel?");
        CHECK(decode("1\r\na\r\n0\r\n\r\nGET", step).starts_with("a+"));
    }
}

TEST_CASE("malformed chunks, extensions and trailers are refused in requests") {
    for (const std::string bytes :
         {"5;a=b\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
          "5;\n\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
          "5\r\nhello\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "g\r\n",
          "\r\n", "1ffffffffffffffff\r\n", "0\r\nContent-Length: 5\r\n\r\n", "0\r\n\n",
          "0;ext\r\n\r\n"}) {
        CAPTURE(bytes);
        CHECK(decode(bytes, 100) == "!");
        CHECK(decode(bytes, 1) == "!");
    }
}

TEST_CASE("extensions and trailers are dropped, within bounds, in responses") {
    const auto drop = ChunkDecoder::Extras::drop;
    CHECK(decode("5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\nZ: z\r\n\r\n", 100, drop) == "hello");
    CHECK(decode("0\r\n" + std::string(20000, 'x') + "\r\n\r\n", 100, drop) == "!");
    CHECK(decode("5;" + std::string(20000, 'x') + "\r\nhello", 100, drop) == "!");
    CHECK(decode("5;\n\r\nhello\r\n0\r\n\r\n", 100, drop) == "!");
}

TEST_CASE("trailers are kept where they are asked for, and extensions refused all the same") {
    const auto keep = ChunkDecoder::Extras::keep_trailers;
    ChunkDecoder decoder(keep);
    std::string out;
    REQUIRE(decoder.feed("2\r\nok\r\n0\r\nX: y\r\nLong-Name:  z \r\n\r\n", out, 100));
    CHECK(decoder.done());
    CHECK(out == "ok");
    CHECK(decoder.trailers() == "X: y\nLong-Name:  z \n");
    CHECK(decode("5;a=b\r\nhello\r\n0\r\n\r\n", 100, keep) == "!");
    CHECK(decode("0\r\nX: \n\r\n\r\n", 100, keep) == "!");
    CHECK(decode("0\r\n" + std::string(300'000, 'x') + "\r\n\r\n", 100, keep) == "!");
}

}  // namespace longhaul::net::test
