// A response's status line and fields as bytes. Pure.
#pragma once

#include "longhaul/net/impl/head_guard.hpp"
#include "longhaul/net/message.hpp"

#include <string>
#include <string_view>

namespace longhaul::net {

struct ResponseFraming {
    BodyKind body = BodyKind::length;
    std::uint64_t length = 0;
    bool keep_alive = true;
    bool http_1_0 = false;
};

// How `response` is to be framed for a client that sent `request`; keep_alive as wanted.
[[nodiscard]] ResponseFraming frame_response(const Response& response, const HeadFacts& request,
                                             bool keep_alive);

// True where the status never has a body.
[[nodiscard]] bool is_bodiless(int status);

// Replaces the content of `out`. Framing fields in response.headers are ours alone and left out;
// control characters in values become blanks. `date_line` ends in CR LF.
void write_response_head(std::string& out, const Response& response, const ResponseFraming& framing,
                         std::string_view date_line);

// As problem_response(), under another status than the error's own (400, 405, 408, 417, 431, …).
[[nodiscard]] Response problem_with_status(int status, const Error& error);

}  // namespace longhaul::net
