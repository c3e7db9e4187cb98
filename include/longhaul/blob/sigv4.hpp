// AWS Signature Version 4 for S3 requests, in headers: who asks, and that nobody changed what is
// asked on the way.
//
// Source: "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference. The
// path is encoded once and not normalized, as S3 (alone of AWS) wants it. Pure.
#pragma once

#include "longhaul/base/time.hpp"
#include "longhaul/port/peer.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhaul::blob {

struct S3Credentials {
    std::string access_key_id{};  // "" = requests are not signed
    std::string secret_access_key{};
    std::string region = "us-east-1";
};

struct S3Request {
    std::string method;
    std::string host;                                          // as the Host header has it
    std::string path;                                          // "/bucket/key", not encoded
    std::vector<std::pair<std::string, std::string>> query{};  // not encoded, in any order
    port::Headers headers{};                                   // further ones to be signed
    std::string payload_sha256{};  // 64 hex digits; "" = of an empty body
};

// RFC 3986: all but the unreserved characters as %XX, upper case; '/' stays if `keeps_slashes`.
[[nodiscard]] std::string uri_encode(std::string_view text, bool keeps_slashes);

// "/bucket/key?partNumber=1&uploadId=x", encoded and in the order that is signed.
[[nodiscard]] std::string s3_target(const S3Request& request);

// The headers to send, beside Host and Content-Length: those of the request, x-amz-date,
// x-amz-content-sha256 and Authorization.
[[nodiscard]] port::Headers s3_headers(const S3Request& request, const S3Credentials& credentials,
                                       TimePoint now);

}  // namespace longhaul::blob
