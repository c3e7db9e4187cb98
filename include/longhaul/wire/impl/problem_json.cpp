#include "longhaul/wire/problem_json.hpp"

#include <algorithm>
#include <array>

namespace longhaul::wire {
namespace {

constexpr std::string_view kTypeBase = "https://longhaul.dev/problems/";

struct Row {
    Errc code;
    int status;
    std::string_view type;
};

// The one table. Its first row of a status is also what an answer without a known type means.
constexpr std::array<Row, 18> kRows{{
    {Errc::invalid_argument, 400, "invalid-argument"},
    {Errc::not_found, 404, "not-found"},
    {Errc::conflict, 409, "conflict"},
    {Errc::stale, 409, "stale"},
    {Errc::gone, 410, "gone"},
    {Errc::precondition, 412, "precondition-failed"},
    {Errc::too_large, 413, "payload-too-large"},
    {Errc::mismatch, 422, "idempotency-mismatch"},
    {Errc::overloaded, 429, "overloaded"},
    {Errc::internal, 500, "internal"},
    {Errc::refused, 500, "refused"},
    {Errc::corrupt, 500, "corrupt"},
    {Errc::io_failed, 500, "io-failed"},
    {Errc::unsupported, 501, "not-available"},
    {Errc::unreachable, 502, "unreachable"},
    {Errc::unavailable, 503, "unavailable"},
    {Errc::cancelled, 503, "cancelled"},
    {Errc::timed_out, 504, "timed-out"},
}};

const Row& row_of(Errc code) {
    for (const Row& row : kRows) {
        if (row.code == code) return row;
    }
    return row_of(Errc::internal);
}

Errc code_of_status(int status) {
    // From a stranger "bad gateway" does not prove that nothing happened, as unreachable would.
    if (status == 502) return Errc::internal;
    for (const Row& row : kRows) {
        if (row.status == status) return row.code;
    }
    return status >= 400 && status < 500 ? Errc::refused : Errc::internal;
}

// "queue-full" -> "Queue full"
std::string title_of(std::string_view type) {
    std::string title{type};
    std::replace(title.begin(), title.end(), '-', ' ');
    if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') {
        title[0] = static_cast<char>(title[0] - 'a' + 'A');
    }
    return title;
}

}  // namespace

int http_status(Errc code) { return row_of(code).status; }

Json problem(const Error& error) {
    const std::string type = error.type.empty() ? std::string(row_of(error.code).type) : error.type;
    Json document = Json::object();
    document.set("type", std::string(kTypeBase) + type);
    document.set("title", title_of(type));
    document.set("status", http_status(error.code));
    document.set("detail", error.message);
    if (error.limit != 0) document.set("limit", error.limit);
    if (!error.scope.empty()) document.set("scope", error.scope);
    return document;
}

Error error_from_problem(int status, std::string_view body) {
    static constexpr JsonLimits kLimits{8, 64u << 10, 1000};
    Error error;
    error.code = code_of_status(status);
    error.message = "answered with status " + std::to_string(status);
    const auto parsed = parse_json(body, kLimits);
    if (!parsed) return error;
    if (const std::string* detail = (*parsed)["detail"].as_string()) error.message = *detail;
    const std::string* uri = (*parsed)["type"].as_string();
    if (!uri || uri->compare(0, kTypeBase.size(), kTypeBase) != 0) return error;
    const std::string type = uri->substr(kTypeBase.size());
    for (const Row& row : kRows) {
        if (row.type == type && row.status == status) {
            error.code = row.code;
            return error;  // the type says no more than the code
        }
    }
    error.type = type;
    return error;
}

}  // namespace longhaul::wire
