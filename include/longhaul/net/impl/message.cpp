#include "longhaul/net/message.hpp"

#include "longhaul/base/assert.hpp"
#include "longhaul/net/impl/http_text.hpp"
#include "longhaul/wire/problem_json.hpp"

namespace longhaul::net {

std::optional<std::string_view> Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) return value;
    return std::nullopt;
}

std::vector<std::string_view> Request::headers_named(std::string_view name) const {
    std::vector<std::string_view> out;
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) out.push_back(value);
    return out;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

const std::string& Request::param(std::string_view name) const {
    const auto found = params.find(name);
    LH_ASSERT(found != params.end());
    return found->second;
}

Response json_response(int status, const wire::Json& document) {
    Response response;
    response.status = status;
    response.body = document.dump();
    response.with("Content-Type", "application/json");
    return response;
}

Response text_response(int status, std::string text) {
    Response response;
    response.status = status;
    response.body = std::move(text);
    response.with("Content-Type", "text/plain; charset=utf-8");
    return response;
}

Response problem_response(const Error& error) {
    Response response;
    response.status = wire::http_status(error.code);
    response.body = wire::problem(error).dump();
    response.with("Content-Type", "application/problem+json");
    if (response.status == 429 || response.status == 503)
        response.with("Retry-After", std::to_string(std::max(1U, error.retry_after_s)));
    return response;
}

boost::asio::awaitable<Result<wire::Json>> read_json(Request& request, std::uint64_t bytes_max) {
    auto text = co_await port::read_all(*request.body, bytes_max);
    if (!text) {
        auto error = text.error();
        if (error.code == Errc::too_large && error.type.empty()) error.type = "payload-too-large";
        co_return error;
    }
    wire::JsonLimits limits;
    limits.bytes_max = bytes_max;
    auto document = wire::parse_json(*text, limits);
    co_return document;
}

}  // namespace longhaul::net
