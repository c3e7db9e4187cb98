// The published examples of the Amazon S3 API Reference, "Signature Calculations for the
// Authorization Header: Transferring Payload in a Single Chunk".
#include "longhaul/blob/sigv4.hpp"

#include "longhaul/crypto/sha256.hpp"
#include "tests/support/catch.hpp"

using namespace longhaul;
using namespace longhaul::blob;

namespace {

const S3Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                             "us-east-1"};

TimePoint example_time() { return parse_rfc3339("2013-05-24T00:00:00Z").value(); }

S3Request example(std::string method, std::string path) {
    S3Request request;
    request.method = std::move(method);
    request.host = "examplebucket.s3.amazonaws.com";
    request.path = std::move(path);
    return request;
}

std::string authorization(const S3Request& request) {
    for (const auto& [name, value] : s3_headers(request, kExample, example_time()))
        if (name == "Authorization") return value;
    return "";
}

const std::string kBegin =
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,";

}  // namespace

TEST_CASE("a ranged read is signed as the published example") {
    S3Request request = example("GET", "/test.txt");
    request.headers = {{"Range", "bytes=0-9"}};
    CHECK(authorization(request) ==
          kBegin +
              "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
              "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("a write is signed as the published example, its path encoded") {
    S3Request request = example("PUT", "/test$file.text");
    request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                       {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    request.payload_sha256 = crypto::sha256_hex("Welcome to Amazon S3.");
    CHECK(s3_target(request) == "/test%24file.text");
    CHECK(authorization(request) ==
          kBegin +
              "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
              "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_CASE("a query is signed as the published examples") {
    S3Request lifecycle = example("GET", "/");
    lifecycle.query = {{"lifecycle", ""}};
    CHECK(authorization(lifecycle).ends_with(
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
    S3Request list = example("GET", "/");
    list.query = {{"prefix", "J"}, {"max-keys", "2"}};
    CHECK(s3_target(list) == "/?max-keys=2&prefix=J");
    CHECK(authorization(list).ends_with(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST_CASE("without an access key nothing is signed") {
    S3Request request = example("GET", "/x");
    request.headers = {{"Range", "bytes=0-9"}};
    const auto headers = s3_headers(request, {}, example_time());
    CHECK(headers == port::Headers{{"Range", "bytes=0-9"}});
}

TEST_CASE("what is not unreserved is encoded, byte by byte") {
    CHECK(uri_encode("a b/ü~", true) == "a%20b/%C3%BC~");
    CHECK(uri_encode("a/b", false) == "a%2Fb");
}
