#include "longhaul/net/impl/head_guard.hpp"

#include "longhaul/net/impl/http_text.hpp"

#include <algorithm>
#include <string>

namespace longhaul::net {
namespace {

HeadRefusal refuse(std::string message, int status = 400, std::string type = "invalid-request") {
    return HeadRefusal{status,
                       make_error(Errc::invalid_argument, std::move(message), std::move(type))};
}

// What the fields say that framing depends on.
struct Seen {
    std::size_t fields = 0;
    std::size_t content_lengths = 0;
    std::size_t transfer_encodings = 0;
    std::size_t hosts = 0;
    std::size_t expects = 0;
    std::string_view content_length{};
    std::string_view transfer_encoding{};
    std::string_view host{};
    std::string_view expect{};
    bool close = false;
    bool keep_alive = false;
};

bool is_field_char(unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); }

std::optional<HeadRefusal> check_field(std::string_view line, Seen& seen) {
    if (++seen.fields > kHeaderFieldsMax)
        return refuse("more than " + std::to_string(kHeaderFieldsMax) + " header fields", 431,
                      "header-too-large");
    if (line.front() == ' ' || line.front() == '\t')
        return refuse("a header line begins with a blank (folded lines are not accepted)");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return refuse("a header line has no colon");
    const auto name = line.substr(0, colon);
    if (!is_token(name))
        return refuse("a header name is empty or has a character that is not allowed");
    const auto value = trim_blanks(line.substr(colon + 1));
    switch (name.size()) {
    case 4:
        if (equal_ignoring_case(name, "host")) ++seen.hosts, seen.host = value;
        break;
    case 6:
        if (equal_ignoring_case(name, "expect")) ++seen.expects, seen.expect = value;
        break;
    case 10:
        if (equal_ignoring_case(name, "connection")) {
            seen.close = seen.close || list_has(value, "close");
            seen.keep_alive = seen.keep_alive || list_has(value, "keep-alive");
        }
        break;
    case 14:
        if (equal_ignoring_case(name, "content-length"))
            ++seen.content_lengths, seen.content_length = value;
        break;
    case 17:
        if (equal_ignoring_case(name, "transfer-encoding"))
            ++seen.transfer_encodings, seen.transfer_encoding = value;
        break;
    default: break;
    }
    return std::nullopt;
}

// Splits into lines that end in CRLF, refuses any other control character, and reads the fields.
std::optional<HeadRefusal> check_lines(std::string_view block, std::string_view& start_line,
                                       Seen& seen) {
    bool first = true;
    while (true) {
        const auto bad = std::ranges::find_if_not(block, is_field_char);
        const auto size = static_cast<std::size_t>(bad - block.begin());
        if (size + 1 >= block.size() || block[size] != '\r' || block[size + 1] != '\n')
            return refuse(
                "the header has a control character, or a line that does not end in CR LF");
        const auto line = block.substr(0, size);
        block.remove_prefix(size + 2);
        if (first) {
            start_line = line;
            first = false;
        } else if (line.empty()) {
            if (!block.empty()) return refuse("the header has an empty line in its midst");
            return std::nullopt;
        } else if (auto refusal = check_field(line, seen)) {
            return refusal;
        }
        if (block.empty()) return refuse("the header does not end in an empty line");
    }
}

// "HTTP/1.1" or "HTTP/1.0".
std::optional<HeadRefusal> check_version(std::string_view version, bool& http_1_0) {
    if (version == "HTTP/1.1") return std::nullopt;
    if (version == "HTTP/1.0") {
        http_1_0 = true;
        return std::nullopt;
    }
    if (version.starts_with("HTTP/") && version.size() == 8)
        return refuse("only HTTP/1.1 and HTTP/1.0 are served", 505, "http-version");
    return refuse("the request line does not end in an HTTP version");
}

bool is_authority(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) {
        return is_token_char(c) ? c != '`' && c != '|' && c != '^' && c != '#' && c != '%'
                                : c == ':' || c == '[' || c == ']' || c == '(' || c == ')' ||
                                      c == ';' || c == '=' || c == ',';
    });
}

// Origin form, or absolute form with the authority that Host has.
std::optional<HeadRefusal> check_target(std::string_view target, std::string_view host) {
    if (target.empty()) return refuse("the request line has no target");
    if (!std::ranges::all_of(target, [](unsigned char c) { return c > 0x20 && c < 0x7f; }))
        return refuse("the request target has a character that must be percent-encoded");
    if (target.find('#') != std::string_view::npos)
        return refuse("the request target has a fragment");
    if (target.front() == '/' || target == "*") return std::nullopt;
    const auto scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos)
        return refuse("the request target must begin with a slash");
    const auto scheme = target.substr(0, scheme_end);
    if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https"))
        return refuse("the request target has a scheme other than http");
    const auto rest = target.substr(scheme_end + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?"));
    if (authority.empty() || !equal_ignoring_case(authority, host))
        return refuse("the authority in the request target is not the one in Host");
    return std::nullopt;
}

std::optional<HeadRefusal> check_request_line(std::string_view line, Seen& seen, HeadFacts& facts) {
    const auto method_end = line.find(' ');
    const auto target_end = line.rfind(' ');
    if (method_end == std::string_view::npos || method_end == target_end)
        return refuse("the request line is not METHOD TARGET VERSION");
    if (!is_token(line.substr(0, method_end))) return refuse("the method is malformed");
    if (auto refusal = check_version(line.substr(target_end + 1), facts.http_1_0)) return refusal;
    if (seen.hosts > 1) return refuse("more than one Host header");
    if (seen.hosts == 0 && !facts.http_1_0) return refuse("the Host header is missing");
    if (!is_authority(seen.host)) return refuse("the Host header is malformed");
    facts.host = seen.host;
    return check_target(line.substr(method_end + 1, target_end - method_end - 1), seen.host);
}

// RFC 9112, section 6.3, without its choices: whoever sends two framings gets an error.
std::optional<HeadRefusal> check_framing(const Seen& seen, HeadFacts& facts) {
    if (seen.transfer_encodings > 1) return refuse("more than one Transfer-Encoding header");
    if (seen.content_lengths > 1) return refuse("more than one Content-Length header");
    if (seen.transfer_encodings == 1) {
        if (seen.content_lengths == 1)
            return refuse("both Content-Length and Transfer-Encoding are there");
        if (facts.http_1_0) return refuse("Transfer-Encoding is not part of HTTP 1.0");
        if (!equal_ignoring_case(seen.transfer_encoding, "chunked"))
            return refuse("the only Transfer-Encoding served is: chunked");
        facts.body = BodyKind::chunked;
    }
    if (seen.content_lengths == 1) {
        const auto length = parse_digits(seen.content_length);
        if (!length || *length > (std::uint64_t{1} << 62))
            return refuse("the Content-Length is not a number of bytes");
        facts.body = *length == 0 ? BodyKind::none : BodyKind::length;
        facts.length = *length;
    }
    return std::nullopt;
}

}  // namespace

HeadCheck check_request_head(std::string_view block) {
    HeadCheck out;
    Seen seen;
    std::string_view line;
    out.refusal = check_lines(block, line, seen);
    if (!out.refusal) out.refusal = check_request_line(line, seen, out.facts);
    if (!out.refusal) out.refusal = check_framing(seen, out.facts);
    if (out.refusal) return out;
    if (seen.expects > 0) {
        if (seen.expects > 1 || !equal_ignoring_case(seen.expect, "100-continue")) {
            out.refusal =
                refuse("the only expectation served is: 100-continue", 417, "expectation-failed");
            return out;
        }
        // HTTP/1.0 has no interim responses (RFC 9110, 10.1.1).
        out.facts.expects_continue = !out.facts.http_1_0 && out.facts.body != BodyKind::none;
    }
    out.facts.keep_alive = !seen.close && (!out.facts.http_1_0 || seen.keep_alive);
    return out;
}

HeadCheck check_response_head(std::string_view block, bool answers_head) {
    HeadCheck out;
    Seen seen;
    std::string_view line;
    out.refusal = check_lines(block, line, seen);
    if (out.refusal) return out;
    out.refusal = check_version(line.substr(0, line.find(' ')), out.facts.http_1_0);
    if (out.refusal) return out;
    const auto code = line.size() >= 12 ? parse_digits(line.substr(9, 3)) : std::nullopt;
    if (!code || *code < 100 || line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) {
        out.refusal = refuse("the status line is malformed");
        return out;
    }
    out.refusal = check_framing(seen, out.facts);
    const bool framed = seen.content_lengths + seen.transfer_encodings > 0;
    if (!framed) out.facts.body = BodyKind::until_close;
    if (answers_head || *code < 200 || *code == 204 || *code == 304)
        out.facts.body = BodyKind::none;
    out.facts.keep_alive = !seen.close && (!out.facts.http_1_0 || seen.keep_alive) &&
                           out.facts.body != BodyKind::until_close;
    return out;
}

std::size_t find_head_end(std::string_view bytes, std::size_t from) {
    const auto at = bytes.find("\r\n\r\n", from > 3 ? from - 3 : 0);
    return at == std::string_view::npos ? 0 : at + 4;
}

std::optional<HeadRefusal> check_partial_head(std::string_view bytes, std::size_t from) {
    if (!bytes.empty() && !is_token_char(static_cast<unsigned char>(bytes.front())))
        return refuse("this is not an HTTP/1.1 request");
    for (std::size_t i = from; i < bytes.size(); ++i) {
        if (bytes[i] == '\0') return refuse("the header has a NUL");
        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
            return refuse("a header line does not end in CR LF");
    }
    return std::nullopt;
}

}  // namespace longhaul::net
