// A checked head (head_guard.hpp) as values. Beast parses it, behind this header only.
#pragma once

#include "longhaul/port/peer.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul::net {

struct ParsedHead {
    std::string method{};  // of a request
    std::string target{};
    int status = 0;  // of a response
    port::Headers headers{};
};

// REQUIRES `block` to have passed the guard. Returns why Beast refuses it, or "".
[[nodiscard]] std::string parse_request_head(std::string_view block, ParsedHead& out);
[[nodiscard]] std::string parse_response_head(std::string_view block, ParsedHead& out);

}  // namespace longhaul::net
