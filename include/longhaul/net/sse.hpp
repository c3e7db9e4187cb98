// Server-sent events (WHATWG HTML, section 9.2): framing, and the headers that proxies need.
#pragma once

#include "longhaul/net/message.hpp"

#include <string>
#include <string_view>

namespace longhaul::net {

struct SseEvent {
    std::string id{};     // "" = none
    std::string event{};  // "" = "message"
    std::string data{};   // split at line ends
};

[[nodiscard]] std::string format_sse(const SseEvent& event);
inline constexpr std::string_view kSseHeartbeat = ":\n\n";  // every 15 s on a silent stream

// 200, text/event-stream, no-cache, X-Accel-Buffering: no; starts with "retry: 3000".
[[nodiscard]] Response sse_response(std::unique_ptr<ByteSource> events);

}  // namespace longhaul::net
