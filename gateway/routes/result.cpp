#include "gateway/routes/document.hpp"
#include "gateway/routes/handlers.hpp"

#include <charconv>

namespace longhaul::gateway::routes {
namespace {

struct Range {
    std::uint64_t first = 0;
    std::uint64_t length = 0;
};

// One range of RFC 9110, 14.1.2. Nothing where it is malformed (then it is ignored, as the RFC
// says) and length 0 where it cannot be satisfied.
std::optional<Range> parse_range(std::string_view text, std::uint64_t size) {
    constexpr std::string_view kUnit = "bytes=";
    if (!text.starts_with(kUnit)) return std::nullopt;
    text.remove_prefix(kUnit.size());
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || text.find(',') != std::string_view::npos)
        return std::nullopt;
    const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (digits.empty() || parsed.ec != std::errc{} ||
            parsed.ptr != digits.data() + digits.size())
            return std::nullopt;
        return value;
    };
    const auto first = number(text.substr(0, dash));
    const auto last = number(text.substr(dash + 1));
    if (!first && !last) return std::nullopt;
    if (!first) {  // the last N bytes
        const std::uint64_t length = std::min(*last, size);
        return Range{size - length, length};
    }
    if (*first >= size || (last && *last < *first)) return Range{0, 0};
    return Range{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

Error no_result(const Invocation& invocation) {
    return make_error(Errc::conflict,
                      "the invocation ended as " + std::string(to_string(invocation.state)) +
                          (invocation.failure ? ": " + invocation.failure->message : std::string()),
                      "no-result");
}

}  // namespace

Answer get_result(const Api& api, net::Request& request) {
    auto what = addressed(api, request);
    if (!what) co_return net::problem_response(what.error());
    auto snapshot = co_await api.gateway.get(std::move(what->tenant), std::move(what->id));
    if (!snapshot) {
        Error error = snapshot.error();
        if (error.code == Errc::gone) error.type = "result-expired";
        co_return net::problem_response(error);
    }
    const Invocation& invocation = snapshot->invocation;
    if (!is_terminal(invocation.state)) co_return document_response(202, *snapshot);
    if (!invocation.result) co_return net::problem_response(no_result(invocation));

    const Content& content = *invocation.result;
    net::Response response;
    response.with("Content-Type",
                  content.content_type.empty() ? "application/octet-stream" : content.content_type);
    response.with("Accept-Ranges", "bytes");
    response.with("Invocation-Id", invocation.id.text);
    response.with("Invocation-Status", std::string(to_string(invocation.state)));
    Range range{0, content.size};
    if (const auto header = request.header("Range")) {
        const auto asked = parse_range(*header, content.size);
        if (asked && asked->length == 0) {
            response.status = 416;
            response.with("Content-Range", "bytes */" + std::to_string(content.size));
            co_return response;
        }
        if (asked) {
            range = *asked;
            response.status = 206;
            response.with("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                               std::to_string(range.first + range.length - 1) +
                                               "/" + std::to_string(content.size));
        }
    }
    Content bytes = content;
    auto stream = co_await api.gateway.read_result(std::move(bytes), range.first, range.length);
    if (!stream) co_return net::problem_response(stream.error());
    response.stream = std::move(*stream);
    response.stream_bytes = range.length;
    co_return response;
}

}  // namespace longhaul::gateway::routes
