#include "longhaul/blob/sigv4.hpp"

#include "longhaul/crypto/hmac.hpp"
#include "longhaul/crypto/sha256.hpp"

#include <algorithm>
#include <map>

namespace longhaul::blob {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string_view view_of(const crypto::Sha256Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "20130524T000000Z"
std::string amz_date(TimePoint now) {
    const std::string full = format_rfc3339(now);  // "2013-05-24T00:00:00.000Z"
    std::string text;
    for (const char c : full.substr(0, full.find('.')))
        if (c != '-' && c != ':') text += c;
    return text + "Z";
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::string canonical_query(const S3Request& request) {
    std::vector<std::pair<std::string, std::string>> encoded;
    for (const auto& [name, value] : request.query)
        encoded.emplace_back(uri_encode(name, false), uri_encode(value, false));
    std::ranges::sort(encoded);
    std::string text;
    for (const auto& [name, value] : encoded)
        text += (text.empty() ? "" : "&") + name + "=" + value;
    return text;
}

std::string signature_of(const S3Credentials& credentials, std::string_view day,
                         std::string_view to_sign) {
    auto key = crypto::hmac_sha256("AWS4" + credentials.secret_access_key, day);
    for (const std::string_view part : {std::string_view(credentials.region),
                                        std::string_view("s3"), std::string_view("aws4_request")})
        key = crypto::hmac_sha256(view_of(key), part);
    const auto signature = crypto::hmac_sha256(view_of(key), to_sign);
    return crypto::to_hex(view_of(signature));
}

}  // namespace

std::string uri_encode(std::string_view text, bool keeps_slashes) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool is_plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                              c == '~' || (keeps_slashes && c == '/');
        if (is_plain) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string s3_target(const S3Request& request) {
    const std::string query = canonical_query(request);
    return uri_encode(request.path, true) + (query.empty() ? "" : "?" + query);
}

port::Headers s3_headers(const S3Request& request, const S3Credentials& credentials,
                         TimePoint now) {
    port::Headers headers = request.headers;
    if (credentials.access_key_id.empty()) return headers;
    const std::string payload =
        request.payload_sha256.empty() ? crypto::sha256_hex("") : request.payload_sha256;
    const std::string date = amz_date(now);
    const std::string day = date.substr(0, 8);
    headers.emplace_back("x-amz-content-sha256", payload);
    headers.emplace_back("x-amz-date", date);

    std::map<std::string, std::string> signed_headers{{"host", request.host}};
    for (const auto& [name, value] : headers) signed_headers[lower(name)] = value;
    std::string names;
    std::string canonical = request.method + "\n" + uri_encode(request.path, true) + "\n" +
                            canonical_query(request) + "\n";
    for (const auto& [name, value] : signed_headers) {
        canonical += name + ":" + value + "\n";
        names += (names.empty() ? "" : ";") + name;
    }
    canonical += "\n" + names + "\n" + payload;

    const std::string scope = day + "/" + credentials.region + "/s3/aws4_request";
    const std::string to_sign =
        std::string(kAlgorithm) + "\n" + date + "\n" + scope + "\n" + crypto::sha256_hex(canonical);
    headers.emplace_back("Authorization",
                         std::string(kAlgorithm) + " Credential=" + credentials.access_key_id +
                             "/" + scope + ",SignedHeaders=" + names +
                             ",Signature=" + signature_of(credentials, day, to_sign));
    return headers;
}

}  // namespace longhaul::blob
