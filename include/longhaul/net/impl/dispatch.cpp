// The dispatcher's part of a connection: what stands between a request and its handler, and what is
// recorded afterwards.
#include "longhaul/net/impl/connection.hpp"

#include <algorithm>

namespace longhaul::net {
namespace {

// Takes the same time wherever the first difference is.
bool same_secret(std::string_view given, std::string_view wanted) {
    unsigned difference = given.size() == wanted.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i)
        difference |= static_cast<unsigned char>(given[i]) ^
                      static_cast<unsigned char>(wanted[i % wanted.size()]);
    return difference == 0;
}

bool is_authorized(const Request& request, std::string_view secret) {
    const auto header = request.header("authorization");
    if (!header || header->size() < 7 || !equal_ignoring_case(header->substr(0, 7), "Bearer "))
        return false;
    return same_secret(trim_blanks(header->substr(7)), secret);
}

}  // namespace

std::optional<Response> Connection::check_gates(const Router::Match& match) {
    const auto& options = server_.options;
    if (!options.secret.empty() && !is_authorized(request_, options.secret)) {
        auto response = problem_with_status(
            401, make_error(Errc::refused, "the request needs this cluster's credential",
                            "unauthorized"));
        response.with("WWW-Authenticate", "Bearer");
        return response;
    }
    if (match.route == nullptr && match.allow.empty())
        return problem_with_status(
            404,
            make_error(Errc::not_found, "there is nothing at " + request_.path, "unknown-route"));
    if (match.route == nullptr) {
        auto response = problem_with_status(
            405, make_error(Errc::invalid_argument,
                            request_.method + " is not possible here, but: " + match.allow,
                            "method-not-allowed"));
        response.with("Allow", match.allow);
        return response;
    }
    if (server_.running >= options.limits.requests_max)
        return problem_response(make_error(Errc::overloaded,
                                           "more than " +
                                               std::to_string(options.limits.requests_max) +
                                               " requests are being served",
                                           "too-many-requests"));
    if (facts_.body == BodyKind::length && facts_.length > match.route->body_max)
        return problem_response(make_error(Errc::too_large,
                                           "the body of " + std::to_string(facts_.length) +
                                               " bytes is larger than the limit of " +
                                               std::to_string(match.route->body_max) + " bytes",
                                           "payload-too-large"));
    if (server_.refusing && request_.method != "GET" && request_.method != "HEAD")
        return problem_response(
            make_error(Errc::unavailable, "the server is stopping", "stopping"));
    return std::nullopt;
}

Response Connection::cancelled_response(const Route& route) const {
    if (cause_ == Cause::deadline)
        return problem_response(make_error(
            Errc::timed_out, "the request was not done after " + format_duration(route.deadline),
            "request-timeout"));
    auto response =
        problem_response(make_error(Errc::unavailable, "the server is stopping", "stopping"));
    if (cause_ == Cause::client_left) response.status = 499;  // counted, never sent
    return response;
}

void Connection::record(const Route* route, int status, TimePoint begun) {
    if (route == nullptr) {
        ++server_.unrouted;
        return;
    }
    const auto index = static_cast<std::size_t>(route - server_.router.routes().data());
    auto& counters = server_.counters[index];
    ++counters.by_class[static_cast<std::size_t>(std::clamp(status / 100, 0, 5))];
    counters.seconds.observe(std::chrono::duration<double>(now() - begun).count());
}

}  // namespace longhaul::net
