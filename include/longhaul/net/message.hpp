// HTTP as our handlers see it: a Request whose body is pulled, a Response whose body is given whole
// or pulled. Beast stays behind net/impl.
#pragma once

#include "longhaul/base/result.hpp"
#include "longhaul/base/time.hpp"
#include "longhaul/port/peer.hpp"
#include "longhaul/wire/json.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::net {

using port::ByteSource;
using port::Headers;

// Lives from the parsed header to the end of its handler; owned by the connection.
struct Request {
    std::string method;
    std::string path;                                        // percent-decoded, without the query
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    Headers headers;
    std::map<std::string, std::string, std::less<>> params;  // of the pattern: {fn}, {id}
    std::optional<std::uint64_t> content_length;
    std::string remote;  // "127.0.0.1:51234" or "unix"
    TimePoint received_at{};

    // The body, bounded by the route's limit: an error of type payload-too-large names it. With
    // Expect: 100-continue, the 100 is sent at the first read. Never null.
    ByteSource* body = nullptr;

    // First header of that name (case-insensitive), or nothing.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> headers_named(std::string_view name) const;
    [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
    // REQUIRES the pattern to have it.
    [[nodiscard]] const std::string& param(std::string_view name) const;
};

struct Response {
    int status = 200;
    Headers headers{};
    std::string body{};
    // Where set, the body comes from here: with `stream_bytes` as Content-Length, else chunked.
    // The server stops reading when the client leaves, and destroys it.
    std::unique_ptr<ByteSource> stream{};
    std::optional<std::uint64_t> stream_bytes{};

    Response& with(std::string name, std::string value) {
        headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }
};

[[nodiscard]] Response json_response(int status, const wire::Json& document);
[[nodiscard]] Response text_response(int status, std::string text);
// application/problem+json, with Retry-After on 429 and 503: what the error says, at least 1 s.
[[nodiscard]] Response problem_response(const Error& error);

// The whole body as one JSON document, at most `bytes_max`.
boost::asio::awaitable<Result<wire::Json>> read_json(Request& request, std::uint64_t bytes_max);

}  // namespace longhaul::net
