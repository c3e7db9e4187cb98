#include "tests/support/catch.hpp"

#include "longhaul/crypto/equal.hpp"
#include "longhaul/crypto/random.hpp"
#include "longhaul/crypto/sha256.hpp"

using namespace longhaul::crypto;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256("abc")[0] == 0xba);
}

TEST_CASE("a digest in pieces is the digest of the whole, and the next starts anew") {
    Sha256 hash;
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        hash.update("piece");
        all += "piece";
    }
    CHECK(hash.finish_hex() == sha256_hex(all));
    hash.update("abc");
    Sha256 moved = std::move(hash);
    CHECK(moved.finish_hex() == sha256_hex("abc"));
    CHECK(moved.finish_hex() == sha256_hex(""));
}

TEST_CASE("random bytes have the length that was asked for and do not repeat") {
    CHECK(random_bytes(0).empty());
    CHECK(random_bytes(1000).size() == 1000);
    CHECK(random_hex(16).size() == 32);
    CHECK(random_hex(16) != random_hex(16));
    CHECK(random_u64() != random_u64());
}

TEST_CASE("secrets are compared whole") {
    CHECK(equal_constant_time("abc", "abc"));
    CHECK(equal_constant_time("", ""));
    CHECK_FALSE(equal_constant_time("abc", "abd"));
    CHECK_FALSE(equal_constant_time("abc", "abcd"));
}

TEST_CASE("hex is lower-case, two digits a byte") {
    CHECK(to_hex(std::string("\x00\xff\x1a", 3)) == "00ff1a");
}
