#include "tests/support/catch.hpp"

#include "longhaul/wire/base64.hpp"

using namespace longhaul::wire;

TEST_CASE("base64 gives the vectors of RFC 4648") {
    const auto [bytes, text] = GENERATE(table<std::string, std::string>({{"", ""},
                                                                         {"f", "Zg=="},
                                                                         {"fo", "Zm8="},
                                                                         {"foo", "Zm9v"},
                                                                         {"foob", "Zm9vYg=="},
                                                                         {"fooba", "Zm9vYmE="},
                                                                         {"foobar", "Zm9vYmFy"}}));
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text).value() == bytes);
}

TEST_CASE("all bytes go through base64 and back") {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        const std::string part = bytes.substr(0, length);
        REQUIRE(base64_decode(base64_encode(part)).value() == part);
    }
}

TEST_CASE("malformed base64 is refused") {
    const std::string text = GENERATE(as<std::string>{}, "Z", "Zg", "Zg=", "=",
                                      "====", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zg= ", "Zm9\n",
                                      "Zm-_", "Zm9v ", "\xff\xff\xff\xff");
    INFO(text);
    CHECK_FALSE(base64_decode(text));
}
