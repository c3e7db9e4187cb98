#include "longhaul/net/impl/response_head.hpp"

#include "longhaul/net/impl/http_text.hpp"
#include "longhaul/wire/problem_json.hpp"

#include <array>
#include <charconv>

namespace longhaul::net {
namespace {

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

void append_value(std::string& out, std::string_view value) {
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f ? ' ' : c;
    }
}

bool is_ours(std::string_view name) {
    return equal_ignoring_case(name, "content-length") ||
           equal_ignoring_case(name, "transfer-encoding") ||
           equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "date") ||
           equal_ignoring_case(name, "server");
}

// A problem document's own Retry-After gives way to one that was added later.
std::size_t last_of(const Headers& headers, std::string_view wanted) {
    for (auto i = headers.size(); i > 0; --i)
        if (equal_ignoring_case(headers[i - 1].first, wanted)) return i - 1;
    return 0;
}

}  // namespace

bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

ResponseFraming frame_response(const Response& response, const HeadFacts& request,
                               bool keep_alive) {
    ResponseFraming out;
    out.keep_alive = keep_alive;
    out.http_1_0 = request.http_1_0;
    if (is_bodiless(response.status)) {
        out.body = BodyKind::none;
    } else if (!response.stream) {
        out.length = response.body.size();
    } else if (response.stream_bytes) {
        out.length = *response.stream_bytes;
    } else if (!request.http_1_0) {
        out.body = BodyKind::chunked;
    } else {
        out.body = BodyKind::until_close;
        out.keep_alive = false;
    }
    return out;
}

void write_response_head(std::string& out, const Response& response, const ResponseFraming& framing,
                         std::string_view date_line) {
    out.clear();
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::uint64_t>(response.status));
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\nServer: longhaul\r\n";
    out += date_line;
    const auto retry_after = last_of(response.headers, "retry-after");
    for (std::size_t i = 0; i < response.headers.size(); ++i) {
        const auto& [name, value] = response.headers[i];
        if (!is_token(name) || is_ours(name)) continue;
        if (i < retry_after && equal_ignoring_case(name, "retry-after")) continue;
        out += name;
        out += ": ";
        append_value(out, value);
        out += "\r\n";
    }
    if (framing.body == BodyKind::length) {
        out += "Content-Length: ";
        append_number(out, framing.length);
        out += "\r\n";
    } else if (framing.body == BodyKind::chunked) {
        out += "Transfer-Encoding: chunked\r\n";
    }
    if (!framing.keep_alive)
        out += "Connection: close\r\n";
    else if (framing.http_1_0)
        out += "Connection: keep-alive\r\n";
    out += "\r\n";
}

Response problem_with_status(int status, const Error& error) {
    auto response = problem_response(error);
    if (response.status == status) return response;
    auto document = wire::problem(error);
    document.set("status", status);
    response.status = status;
    response.body = document.dump();
    return response;
}

}  // namespace longhaul::net
