#include "longhaul/client/impl/words.hpp"

#include "longhaul/wire/problem_json.hpp"

#include <fmt/format.h>

namespace longhaul::client {
namespace {

// "http://127.0.0.1:7070 (from LONGHAUL_SERVER)"
std::string place(const ClientOptions& options) {
    if (options.server_named_by.empty()) return options.server;
    return fmt::format("{} ({})", options.server, options.server_named_by);
}

}  // namespace

Error explain(const ClientOptions& options, Error error) {
    if (error.type == kNotLonghaul) return error;
    if (error.code == Errc::unreachable)
        return make_error(Errc::unreachable,
                          fmt::format("cannot reach longhaul at {}: {}. Is it running? Start it "
                                      "with `longhaul dev`, or name another with --server or "
                                      "LONGHAUL_SERVER",
                                      place(options), error.message));
    if (error.code == Errc::timed_out)
        error.message =
            fmt::format("no answer from longhaul at {}: {}", place(options), error.message);
    // A connection that broke may be a gateway that stops; a malformed answer is none of ours.
    if (error.code == Errc::unavailable && error.type == "malformed-answer")
        return not_longhaul(options, "no HTTP/1.1: " + error.message);
    if (error.code == Errc::unavailable && error.type.empty())
        error.message = fmt::format("longhaul at {} went away: {}", place(options), error.message);
    return error;
}

Error not_longhaul(const ClientOptions& options, std::string_view how) {
    return make_error(
        Errc::unreachable,
        fmt::format("what answers at {} is not longhaul's public address: {}. A gateway has it on "
                    "port 7070 unless told otherwise; name it with --server or LONGHAUL_SERVER",
                    place(options), how),
        std::string(kNotLonghaul));
}

Error refusal(const ClientOptions& options, int status, std::string_view content_type,
              std::string_view body) {
    Error error = wire::error_from_problem(status, body);
    const bool ours = body.find("https://longhaul.dev/problems/") != std::string_view::npos;
    // A proxy whose longhaul is away for a moment: asking again may help.
    if (!ours && (status == 502 || status == 503 || status == 504))
        return make_error(Errc::unavailable,
                          fmt::format("a proxy answers at {}, with status {}: longhaul behind it "
                                      "is away",
                                      place(options), status));
    if (!ours)
        return not_longhaul(options,
                            fmt::format("it answers with status {} and {}", status,
                                        content_type.empty() ? "no content type" : content_type));
    if (error.type == "unknown-route" || error.type == "unauthorized")
        return not_longhaul(options,
                            "it answers as another of longhaul's listeners does: " + error.message);
    return error;
}

}  // namespace longhaul::client
